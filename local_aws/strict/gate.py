"""The layer that refuses what AWS would refuse, in the words and the wire form of the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from local_aws.application import read_body
from local_aws.calls import Call, botocore_name, call_of
from local_aws.strict import documented, model
from local_aws.strict.model import Violation
from local_aws.strict.request import operation_of, parameters_of
from local_aws.strict.rules import Refusal

# Rules about a service's requests that another one brings along when it is opened: S3 objects under KMS keys.
added_rules: dict[str, list[Callable[[Call], Iterable[Refusal]]]] = {}


class StrictApplication:
    """Compares every request with the service's rules. `lock` guards moto's state, which some of the rules need."""

    def __init__(self, application: Any, lock: threading.RLock) -> None:
        self.application = application
        self.lock = lock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # moto's own interface is nobody's AWS.
        if not environ.get("PATH_INFO", "").startswith(("/_local_aws/", "/moto-api/")):
            read_body(environ)
            call = call_of(environ)
            refused = self._refusal(call)
            if refused is not None:
                error = {"code": refused.code, "message": refused.message, "status": refused.status}
                return call.refuse(start_response, error)
        return self.application(environ, start_response)  # type: ignore[no-any-return]

    def _refusal(self, call: Call) -> Refusal | None:
        operation = operation_of(botocore_name(call.service), call.action)
        if operation is None or operation.input_shape is None:
            return None
        try:
            given = parameters_of(call, operation)
        except (ValueError, TypeError, KeyError) as error:
            return Refusal(
                *_UNREADABLE.get(call.service, ("SerializationException", f"The request is unreadable: {error}"))
            )
        broken = list(model.violations(operation.input_shape, given))
        if broken:
            return _of_model(call.service, broken)
        with self.lock:
            service = botocore_name(call.service)
            added = (refusal for rule in added_rules.get(service, ()) for refusal in rule(call))
            return next(chain(documented.refusals(service, call.action, given), added), None)


_UNREADABLE = {
    "s3": ("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"),
    "ec2": ("InvalidParameterValue", "A parameter of the request has a value of the wrong type."),
}


def _of_model(service: str, broken: list[Violation]) -> Refusal:
    """Return the refusal in the words of the service."""
    first = broken[0]
    if service == "ec2":
        if first.kind == "required":
            return Refusal("MissingParameter", f"The request must contain the parameter {first.where}")
        shown = f"Value ({first.value})" if str(first.value).isprintable() else "A value"
        said = f"{shown} for parameter {first.where} is invalid. {first.rule}."
        return Refusal("InvalidParameterValue", said)
    if service == "s3":
        return Refusal(*(_UNREADABLE["s3"] if "." in first.where else ("InvalidArgument", str(first))))
    if service == "sqs":
        missing = first.kind == "required"
        return Refusal("MissingParameter" if missing else "InvalidParameterValue", str(first))
    listed = "; ".join(map(str, broken))
    number = f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected"
    return Refusal(
        "ValidationError" if service in ("iam", "sns", "sts") else "ValidationException", f"{number}: {listed}"
    )
