"""Deployed APIs answer at /_aws/execute-api/API/STAGE/PATH, as AWS's do at https://API.execute-api.REGION.amazonaws.com/STAGE/PATH.

The order in which API Gateway looks at a request: its route, its key, its rates, its parameters and body; then the integration.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from moto.apigateway.models import apigateway_backends

from local_aws.application import read_body
from local_aws.iam.principals import ACCOUNT
from local_aws.services.apigateway import validation
from local_aws.services.apigateway.integrations import Integrations
from local_aws.services.apigateway.limits import Limits, find_key
from local_aws.services.apigateway.records import AccessLog, Records
from local_aws.services.apigateway.request import Request
from local_aws.services.apigateway.responses import Refused, Response, answer
from local_aws.services.apigateway.snapshot import Method
from local_aws.services.apigateway.templates import fill
from local_aws.services.aws import Aws

log = logging.getLogger("local_aws.apigateway")

PREFIX = "/_aws/execute-api"
MOST_BODY = 10 * 1024 * 1024  # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_FORBIDDEN = Response(
    403, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "ForbiddenException")], b'{"message":"Forbidden"}'
)


class Plane:
    """A WSGI application."""

    def __init__(self, aws: Aws, limits: Limits, records: Records) -> None:
        self._aws = aws
        self._limits = limits
        self._records = records
        self._integrations = Integrations(aws)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        read_body(environ)
        request = self._request(environ)
        if request is None:  # no such API or stage
            return _send(environ, _FORBIDDEN, [], start_response)
        with self._aws.clock.working(f"a request to the API {request.api.name}"):
            try:
                response = self._answer(request)
            except Refused as refused:
                response = answer(request, refused)
            except Exception:
                log.exception("%s %s", request.http_method, request.path)
                response = answer(request, Refused("API_CONFIGURATION_ERROR"))
            self._record(request, response)
        own = [
            ("x-amzn-RequestId", request.request_id),
            ("x-amz-apigw-id", request.extended_id),
            ("X-Amzn-Trace-Id", request.trace_id),
        ]
        return _send(environ, response, own, start_response)

    def _request(self, environ: dict[str, Any]) -> Request | None:
        api_id, _, rest = environ["PATH_INFO"].removeprefix(PREFIX).lstrip("/").partition("/")
        name, _, path = rest.partition("/")
        with self._aws.lock:
            for region, backend in list(apigateway_backends[ACCOUNT].items()):
                api = backend.apis.get(api_id)
                stage = api.stages.get(name) if api else None
                deployment = api.deployments.get(stage.deployment_id) if api and stage else None
                snapshot = getattr(deployment, "local_aws_snapshot", None)
                if snapshot is not None and not api.disableExecuteApiEndpoint:
                    body = environ["wsgi.input"].getvalue()
                    now = self._aws.clock.utcnow()
                    return Request(environ, region, api, stage, snapshot, f"/{path}", body, now)
        return None

    def _answer(self, request: Request) -> Response:
        found = request.snapshot.find(request.http_method, request.path)
        if found is None:
            raise Refused("MISSING_AUTHENTICATION_TOKEN")
        request.method, request.path_parameters = method, _ = found
        self._check_limits(request, method)
        if len(request.body) > MOST_BODY:
            raise Refused("REQUEST_TOO_LARGE")
        _validate(request, method)
        return self._integrations.answer(request, method)

    def _check_limits(self, request: Request, method: Method) -> None:
        with self._aws.lock:
            backend = apigateway_backends[ACCOUNT][request.region]
            plan = None
            if method.key_required:
                given = request.header("x-api-key")
                known = find_key(backend, given, request.api.id, request.stage.name) if given else None
                if known is None:
                    raise Refused("INVALID_API_KEY")
                request.key, plan = known
            if plan and not self._limits.of_plan(plan, request.key.id, request.api.id, request.stage, method):
                raise Refused("THROTTLED")
            if not self._limits.of_stage(request.api.id, request.stage, method):
                raise Refused("THROTTLED")
            if plan and not self._limits.of_quota(backend, plan, request.key.id):
                raise Refused("QUOTA_EXCEEDED")

    def _record(self, request: Request, response: Response) -> None:
        took = (time.monotonic() - request.began) * 1000
        values = {
            "Count": 1.0,
            "4XXError": float(400 <= response.status < 500),
            "5XXError": float(response.status >= 500),
            "Latency": float(int(took)),
        }
        if "integrationLatency" in request.found:
            values["IntegrationLatency"] = float(request.found["integrationLatency"])
        self._records.measured(request.region, request.api.name, request.stage.name, values)
        settings = request.stage.access_log_settings or {}
        role = apigateway_backends[ACCOUNT][request.region].account.cloudwatch_role_arn
        if not (settings.get("destinationArn") and settings.get("format") and role):
            return
        request.found |= {
            "status": str(response.status),
            "responseLength": str(len(response.body)),
            "responseLatency": str(int(took)),
        }
        group = settings["destinationArn"].split(":log-group:")[1].removesuffix(":*")
        where = AccessLog(request.region, group, f"{request.api.id}/{request.stage.name}", role)
        self._records.line(where, fill(settings["format"], request.context(), {}, missing="-"))


def _validate(request: Request, method: Method) -> None:
    present = {
        "querystring": dict(request.query),
        "header": {name.lower(): values for name, values in request.headers.items()},
        "path": dict(request.path_parameters),
    }
    missing = validation.missing_parameters(method, present)
    if missing:
        raise Refused("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{', '.join(missing)}]")
    errors = validation.body_errors(method, request.header("content-type"), request.body)
    if errors:
        # Escaped, and without quotes around it: a template has them.
        raise Refused("BAD_REQUEST_BODY", detail=f"[{', '.join(json.dumps(error)[1:-1] for error in errors)}]")


def _send(environ: dict[str, Any], response: Response, more: list[tuple[str, str]], start_response: Any) -> list[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Status"
    headers = [*response.headers, *more, ("Content-Length", str(len(response.body)))]
    start_response(f"{response.status} {phrase}", headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]
