"""Conditions in bucket policies are evaluated; a policy that demands TLS does not lock everybody out.

moto denies as soon as a matching statement has any Condition that it does not understand, so that the usual TLS-only
policy (Deny s3:* if aws:SecureTransport is false) makes each object call 403. Here the condition operators are
evaluated as in the IAM reference. The wire of the embedded AWS is plain http on the loopback, which nobody else can
read: it counts as secure transport. The stored policy is not touched.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.iam.access_control import IAMPolicy
from moto.s3.models import FakeBucket

# Lower case: condition keys are compared without case.
LOOPBACK = {"aws:securetransport": "true", "s3:tlsversion": "1.3", "aws:sourceip": "127.0.0.1"}


def close_gap() -> None:
    def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
        document = json.loads(self.policy.decode()) if self.policy else {"Statement": []}
        document["Statement"] = applicable(document["Statement"], _context())
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    FakeBucket.get_permission = get_permission


def applicable(statements: Any, context: Mapping[str, str]) -> list[dict[str, Any]]:
    """The statements whose conditions hold in `context`, without them. `context` has lower-case keys."""
    every = statements if isinstance(statements, list) else [statements]
    return [
        {name: value for name, value in statement.items() if name != "Condition"}
        for statement in every
        if _holds(statement.get("Condition") or {}, context)
    ]


def _context() -> dict[str, str]:
    from flask import has_request_context, request

    context = dict(LOOPBACK)
    if has_request_context():
        for name, value in request.headers.items():
            if name.lower().startswith("x-amz-"):
                context[f"s3:{name.lower()}"] = value
    return context


def _holds(conditions: dict[str, dict[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        _one_holds(operator, key, expected if isinstance(expected, list) else [expected], context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _one_holds(operator: str, key: str, expected: list[Any], context: Mapping[str, str]) -> bool:
    operator = operator.rpartition(":")[2]  # ForAnyValue:, ForAllValues: — every key here has one value
    actual = context.get(key.lower())
    if operator == "Null":
        return (actual is None) == (_text(expected[0]) == "true")
    if operator.endswith("IfExists"):
        if actual is None:
            return True
        operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    if actual is None:
        return negated  # the key is absent: a negated operator holds, any other does not
    compare = _COMPARISONS.get(operator.replace("Not", ""))
    if compare is None:
        return False
    return any(compare(actual, _text(value)) for value in expected) != negated


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_network(actual: str, expected: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)
    except ValueError:
        return False


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compared(actual: str, expected: str) -> bool:
        try:
            return compare(float(actual), float(expected))
        except ValueError:
            return False

    return compared


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "StringEquals": lambda actual, expected: actual == expected,
    "StringEqualsIgnoreCase": lambda actual, expected: actual.lower() == expected.lower(),
    "StringLike": fnmatch.fnmatchcase,
    "ArnEquals": fnmatch.fnmatchcase,
    "ArnLike": fnmatch.fnmatchcase,
    "IpAddress": _in_network,
    "NumericEquals": _numbers(lambda actual, expected: actual == expected),
    "NumericLessThan": _numbers(lambda actual, expected: actual < expected),
    "NumericLessThanEquals": _numbers(lambda actual, expected: actual <= expected),
    "NumericGreaterThan": _numbers(lambda actual, expected: actual > expected),
    "NumericGreaterThanEquals": _numbers(lambda actual, expected: actual >= expected),
}
