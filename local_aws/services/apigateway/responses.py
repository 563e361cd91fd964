"""What API Gateway answers itself, when it is not the integration that answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from local_aws.services.apigateway.request import Request
from local_aws.services.apigateway.templates import fill, quoted

# Type to status, the value of x-amzn-ErrorType, and the message.
_TYPES = {
    "API_CONFIGURATION_ERROR": (500, "InternalServerErrorException", "Internal server error"),
    "BAD_REQUEST_BODY": (400, "BadRequestException", "Invalid request body"),
    "BAD_REQUEST_PARAMETERS": (400, "BadRequestException", "Missing required request parameters"),
    "INTEGRATION_FAILURE": (502, "InternalServerErrorException", "Internal server error"),
    "INTEGRATION_TIMEOUT": (504, "InternalServerErrorException", "Endpoint request timed out"),
    "INVALID_API_KEY": (403, "ForbiddenException", "Forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    "QUOTA_EXCEEDED": (429, "LimitExceededException", "Limit Exceeded"),
    "REQUEST_TOO_LARGE": (413, "RequestTooLargeException", "Request Too Long"),
    "THROTTLED": (429, "TooManyRequestsException", "Too Many Requests"),
}


@dataclass
class Response:
    """An answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class Refused(Exception):
    """API Gateway answers itself. `args[0]` is the message, if it is another than usual."""

    def __init__(self, kind: str, message: str = "", detail: str = "") -> None:
        self.kind, self.detail = kind, detail
        super().__init__(message)


def answer(request: Request, refused: Refused) -> Response:
    """Return the answer, as the API's own gateway responses say."""
    status, error_type, message = _TYPES[refused.kind]
    message = str(refused) or message
    request.found |= {
        "error.message": message,
        "error.messageString": quoted(message),
        "error.responseType": refused.kind,
        "error.validationErrorString": refused.detail,
    }
    own = request.snapshot.gateway_responses
    # One that is for its type alone, before the one for all of its kind.
    said = own.get(refused.kind) or own.get(f"DEFAULT_{status // 100}XX")
    headers = [("x-amzn-ErrorType", error_type)]
    if said is None:
        return Response(status, [("Content-Type", "application/json"), *headers], _default(message))
    own_status, parameters, templates = said
    context, variables = request.context(), request.stage.variables
    headers += [(name.split(".", 2)[2], value) for name, value in _parameters(request, parameters)]
    kind, template = next(iter(templates.items()), ("application/json", ""))
    body = fill(template, context, variables).encode() if template else _default(message)
    return Response(own_status or status, [("Content-Type", kind), *headers], body)


def _parameters(request: Request, parameters: dict[str, str]) -> list[tuple[str, str]]:
    """Their values are 'literals', context variables, or something of the request."""
    found = []
    for name, value in parameters.items():
        if value.startswith("'"):
            found.append((name, value.strip("'")))
        elif value.startswith("context."):
            found.append((name, request.context().get(value.removeprefix("context."), "")))
        elif value.startswith("method.request.header."):
            found.append((name, request.header(value.rpartition(".")[2].lower())))
    return [(name, value) for name, value in found if value]


def _default(message: str) -> bytes:
    return json.dumps({"message": message}, separators=(",", ":")).encode()
