"""Invoke, and how Lambda words what went wrong.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import secrets
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from local_aws.calls import Call
from local_aws.iam.policies import Need
from local_aws.iam.service_roles import NotAssumable, service_may
from local_aws.services.awslambda import policies, states
from local_aws.services.awslambda.environment import Invocation, Result
from local_aws.services.awslambda.files import NotStartable
from local_aws.services.awslambda.functions import Function, FunctionName, NoSuchFunction, find, function_name
from local_aws.services.awslambda.metrics import Measured
from local_aws.services.awslambda.pools import Pools, Throttled
from local_aws.services.awslambda.runtime_api import RuntimeGone

if TYPE_CHECKING:
    from local_aws.services.awslambda.asynchronous import Queue

log = logging.getLogger("local_aws.lambda")

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_SYNCHRONOUS, MOST_ASYNCHRONOUS = 6_291_456, 1_048_576


class InvokeError(Exception):
    """An invocation that did not come to run."""

    def __init__(self, code: str, message: str, status: int, **more: str) -> None:
        self.code, self.status, self.more = code, status, more
        super().__init__(message)


class Invocations:
    """Everything that can be done with a function is done here, whoever asks for it."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.aws = pools.aws
        self.metrics = Measured(pools.aws)
        self.queue: Queue | None = None  # set by opening.py

    def find(self, named: FunctionName) -> Function:
        """Return the version to run. InvokeError when there is none, or not yet."""
        try:
            with self.aws.lock:
                function = find(named)
                state = states.state_of(function)
        except NoSuchFunction as error:
            raise InvokeError("ResourceNotFoundException", f"Function not found: {error}", 404, Type="User") from None
        if state != "Active":
            raise InvokeError("ResourceConflictException", states.not_now(state), 409, Type="User")
        return function

    def run(self, named: FunctionName, payload: bytes, request_id: str = "", **more: str) -> Result:
        """Invoke and wait. InvokeError when it could not be run; an error of the function is in the result."""
        request_id = request_id or str(uuid.uuid4())
        with self.aws.clock.working(f"invocation of {named.name}"):
            for _ in range(3):  # a warm environment may have ended since it was last used
                function = self.find(named)
                with contextlib.suppress(RuntimeGone):
                    return self._run(named, function, Invocation(request_id, named.arn, payload, **more))
            raise InvokeError("ServiceException", "The environment ended before it was asked.", 500)

    def _run(self, named: FunctionName, function: Function, invocation: Invocation) -> Result:
        invocation.trace_id = invocation.trace_id or _trace_id()
        try:
            with self.pools.counted(function) as running:
                with self.pools.environment(function) as environment:
                    result = environment.invoke(invocation)
                self.metrics.invoked(named, result, running)
                return result
        except Throttled as error:
            self.metrics.throttled(named)
            raise InvokeError(
                "TooManyRequestsException", "Rate Exceeded.", 429, Reason=str(error), Type="User"
            ) from None
        except NotAssumable:
            raise InvokeError(
                "AccessDeniedException", "The role defined for the function cannot be assumed by Lambda.", 403
            ) from None
        except NotStartable as error:
            log.error("%s could not be started: %s", function.arn, error)
            raise InvokeError("InvalidRuntimeException", str(error), 502) from None

    # Lambda's operation, outside of moto's lock.

    def answer(self, call: Call, start_response: Any) -> Iterable[bytes]:
        """Answer Invoke. The policies have let it through."""
        request_id = str(uuid.uuid4())
        try:
            return self._answer(call, request_id, start_response)
        except InvokeError as error:
            return _refuse(error, request_id, start_response)

    def _answer(self, call: Call, request_id: str, start_response: Any) -> Iterable[bytes]:
        kind = call.environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        named = _named(call)
        payload = call.body
        if kind == "DryRun":
            self.find(named)
            return _respond(204, b"", request_id, start_response)
        most = MOST_ASYNCHRONOUS if kind == "Event" else MOST_SYNCHRONOUS
        if len(payload) > most:
            raise InvokeError(
                "RequestEntityTooLargeException",
                f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {most} bytes)",
                413,
                Type="User",
            )
        _check_json(payload)
        if kind == "Event":
            function = self.find(named)
            assert self.queue is not None
            self.queue.add(named, payload or b"{}", request_id)
            return _respond(202, b"", request_id, start_response, {"X-Amz-Executed-Version": function.version})
        result = self.run(named, payload, request_id, client_context=_client_context(call))
        headers = {"X-Amz-Executed-Version": result.version, "Content-Type": "application/json"}
        if result.error:
            headers["X-Amz-Function-Error"] = result.error
        if call.environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(result.tail).decode()
        return _respond(200, result.payload, request_id, start_response, headers)

    # For other services of the embedded AWS.

    def invoke_as_service(
        self,
        function_arn: str,
        payload: bytes,
        *,
        service: str,
        source_arn: str,
        wait: bool = True,
        trace_id: str = "",
    ) -> Result | None:
        """Invoke as an AWS service does that has no role for it: the function's own policy decides.

        `service` is the principal (`events.amazonaws.com`), `source_arn` what it acts for (a rule, a topic, a bucket, an API's
        method). With `wait` the answer is the result; else the event is queued (retries, destinations) and the answer is None.
        InvokeError: AccessDeniedException, ResourceNotFoundException, TooManyRequestsException and so on. Hold no lock.
        """
        named = function_name(function_arn, "us-east-1")
        self.find(named)
        need = Need("lambda:InvokeFunction", named.arn)
        with self.aws.lock:
            decision = service_may(service, need, policies.document(named.arn), source_arn=source_arn)
        if not decision.allowed:
            said = f"User: {service} is not authorized to perform: lambda:InvokeFunction on resource: {named.arn}"
            why = f"{said} because no resource-based policy allows the lambda:InvokeFunction action"
            raise InvokeError("AccessDeniedException", why, 403)
        if wait:
            return self.run(named, payload, trace_id=trace_id)
        assert self.queue is not None
        self.queue.add(named, payload, str(uuid.uuid4()))
        return None


def _named(call: Call) -> FunctionName:
    try:
        return function_name(call.parameters["FunctionName"], call.region, call.parameters.get("Qualifier", ""))
    except ValueError as error:
        raise InvokeError("InvalidParameterValueException", str(error), 400, Type="User") from None


def _check_json(payload: bytes) -> None:
    if payload:
        try:
            json.loads(payload)
        except ValueError as error:
            said = f"Could not parse request body into json: {error}"
            raise InvokeError("InvalidRequestContentException", said, 400, Type="User") from None


def _client_context(call: Call) -> str:
    given = call.environ.get("HTTP_X_AMZ_CLIENT_CONTEXT", "")
    return base64.b64decode(given).decode(errors="replace") if given else ""


def _trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def _respond(
    status: int, body: bytes, request_id: str, start_response: Any, headers: dict[str, str] | None = None
) -> list[bytes]:
    listed = {"x-amzn-RequestId": request_id, "Content-Length": str(len(body)), **(headers or {})}
    start_response(f"{status} {'OK' if status < 300 else 'Fault'}", list(listed.items()))
    return [body]


def _refuse(error: InvokeError, request_id: str, start_response: Any) -> list[bytes]:
    said = {**error.more, "message": str(error)} if error.status == 429 else {**error.more, "Message": str(error)}
    headers = {"x-amzn-ErrorType": error.code, "Content-Type": "application/json"}
    return _respond(error.status, json.dumps(said).encode(), request_id, start_response, headers)
