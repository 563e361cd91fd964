"""What answers a method: a function, or a mock.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from local_aws.iam.principals import ACCOUNT
from local_aws.services.apigateway.request import Request
from local_aws.services.apigateway.responses import Refused, Response
from local_aws.services.apigateway.snapshot import Method
from local_aws.services.apigateway.templates import fill
from local_aws.services.aws import Aws

PRINCIPAL = "apigateway.amazonaws.com"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html: of a function's answer, these are renamed.
_REMAPPED = frozenset(["connection", "content-length", "date", "server", "www-authenticate"])
_INIT_SECONDS = 10  # that a cold start may add to a function's timeout


class Integrations:
    """Answers methods. Without the lock."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._waiting = ThreadPoolExecutor(max_workers=256, thread_name_prefix="api-integration")

    def answer(self, request: Request, method: Method) -> Response:
        """Return what the integration answers. Refused when it does not."""
        began = time.monotonic()
        try:
            return self._function(request, method) if method.kind == "AWS_PROXY" else _mock(request, method)
        finally:
            took = str(int((time.monotonic() - began) * 1000))
            request.found |= {"integrationLatency": took, "integration.latency": took}

    def _function(self, request: Request, method: Method) -> Response:
        from local_aws.services.awslambda import opening
        from local_aws.services.awslambda.functions import function_name
        from local_aws.services.awslambda.invocations import InvokeError

        with self._aws.lock:
            self._aws.open("awslambda")
        arn = fill(method.function, {}, request.stage.variables)
        payload = json.dumps(_event(request, method)).encode()
        invocations = opening.invocations

        def invoke() -> Any:
            return invocations.invoke_as_service(
                arn, payload, service=PRINCIPAL, source_arn=request.source_arn, trace_id=request.trace_id
            )

        try:
            longest = invocations.find(function_name(arn, request.region)).timeout + _INIT_SECONDS
            result = invoke() if longest < method.timeout else self._within(invoke, method.timeout)
        except (ValueError, InvokeError) as error:
            request.found["integrationErrorMessage"] = str(error)
            raise Refused("API_CONFIGURATION_ERROR") from None
        request.found |= {
            "integrationStatus": "200",
            "integration.status": "200",
            "integration.integrationStatus": "200",
        }
        request.found["integration.requestId"] = result.request_id
        if result.error:
            request.found["integrationErrorMessage"] = result.payload.decode(errors="replace")
            raise Refused("INTEGRATION_FAILURE")
        return _response(request, result.payload)

    def _within(self, invoke: Any, seconds: float) -> Any:
        """The function goes on when it takes longer, but nobody waits for it."""
        future: Future[Any] = self._waiting.submit(invoke)
        try:
            return future.result(seconds)
        except TimeoutError:
            raise Refused("INTEGRATION_TIMEOUT") from None


def _event(request: Request, method: Method) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format."""
    forwarded = {
        "Host": [request.domain],
        "X-Amzn-Trace-Id": [request.trace_id],
        "X-Forwarded-For": [request.source_ip],
        "X-Forwarded-Port": ["443"],
        "X-Forwarded-Proto": ["https"],
    }
    headers = {k: v for k, v in request.headers.items() if k.lower() != "host"} | forwarded
    binary = bool(request.body) and request.is_binary(request.header("content-type"))
    context = request.context()
    return {
        "resource": method.path,
        "path": request.path,
        "httpMethod": request.http_method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in request.query.items()} or None,
        "multiValueQueryStringParameters": dict(request.query) or None,
        "pathParameters": request.path_parameters or None,
        "stageVariables": dict(request.stage.variables) or None,
        "requestContext": {
            "resourceId": method.resource_id,
            "resourcePath": method.path,
            "httpMethod": request.http_method,
            "extendedRequestId": request.extended_id,
            "requestTime": context["requestTime"],
            "path": context["path"],
            "accountId": ACCOUNT,
            "protocol": context["protocol"],
            "stage": request.stage.name,
            "domainPrefix": request.api.id,
            "requestTimeEpoch": int(context["requestTimeEpoch"]),
            "requestId": request.request_id,
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": request.source_ip,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": request.header("user-agent") or None,
                "user": None,
                **({"apiKey": request.key.value, "apiKeyId": request.key.id} if request.key else {}),
            },
            "domainName": request.domain,
            "deploymentId": request.stage.deployment_id,
            "apiId": request.api.id,
        },
        "body": _text(request.body, binary) if request.body else None,
        "isBase64Encoded": binary,
    }


def _text(body: bytes, binary: bool) -> str:
    return base64.b64encode(body).decode() if binary else body.decode(errors="replace")


def _response(request: Request, payload: bytes) -> Response:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format."""
    try:
        said = json.loads(payload)
        status = int(said["statusCode"])
        if not 100 <= status <= 599:
            raise ValueError(f"the status {status}")
        text = said.get("body")
        if not isinstance(text, str | None):
            raise TypeError("the body is no string")
        body = (text or "").encode()
        if said.get("isBase64Encoded") and request.is_binary(request.header("accept").partition(",")[0]):
            body = base64.b64decode(body, validate=True)
        headers = _headers(said.get("headers") or {}, said.get("multiValueHeaders") or {})
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        request.found["integrationErrorMessage"] = f"Malformed Lambda proxy response: {error}"
        raise Refused("INTEGRATION_FAILURE") from None
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return Response(status, headers, body)


def _headers(single: dict[str, Any], several: dict[str, list[Any]]) -> list[tuple[str, str]]:
    """A name in both has the values of both, says AWS's document; the same value is there once."""
    found = [(name, _value(value)) for name, values in several.items() for value in values]
    found += [(name, _value(value)) for name, value in single.items() if (name, _value(value)) not in found]
    return [(f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value) for name, value in found]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise TypeError("a header's value is no text")
    if re.search(r"[\r\n]", str(value)):
        raise ValueError("a header with the end of a line")
    return str(value)


def _mock(request: Request, method: Method) -> Response:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html."""
    kind = request.header("content-type").partition(";")[0].strip() or "application/json"
    template = method.templates.get(kind) or method.templates.get("application/json") or ""
    context, variables = request.context(), request.stage.variables
    try:
        wanted = int(json.loads(fill(template, context, variables))["statusCode"])
    except (ValueError, KeyError, TypeError):
        request.found["integrationErrorMessage"] = "The request template gives no statusCode"
        raise Refused("API_CONFIGURATION_ERROR") from None
    matching = [a for a in method.answers if a.pattern and re.fullmatch(a.pattern, str(wanted))]
    chosen = next(iter(matching or [a for a in method.answers if a.pattern is None]), None)
    if chosen is None:
        request.found["integrationErrorMessage"] = (
            f"No match for output mapping and no default endpoint response for {wanted}"
        )
        raise Refused("API_CONFIGURATION_ERROR")
    headers = [
        (name.removeprefix("method.response.header."), value.strip("'"))
        for name, value in chosen.parameters.items()
        if name.startswith("method.response.header.")
    ]
    accepted = request.header("accept").partition(",")[0].strip()
    kind = accepted if accepted in chosen.templates else next(iter(chosen.templates), "application/json")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", kind))
    return Response(chosen.status, headers, fill(chosen.templates.get(kind) or "", context, variables).encode())
