"""Conditions and policy variables, as in the IAM reference.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

# Condition keys in lower case (they are compared without case) to a value, or to several for a multi-valued key.
Context = Mapping[str, "str | list[str]"]

# Every key whose value (or whose absence) is known here for each request; a trailing / stands for any tag.
KNOWN_KEYS = frozenset(
    f"{service}:{name}"
    for service, names in {
        "aws": [
            "currenttime", "epochtime", "multifactorauthpresent", "principalaccount", "principalarn",
            "principalisawsservice", "principalservicename", "principaltag/", "principaltype", "requestedregion", "requesttag/",
            "resourceaccount", "resourcetag/", "securetransport", "sourceaccount", "sourcearn", "sourceip",
            "sourceowner", "tagkeys", "userid", "username", "viaawsservice",
        ],
        "cloudwatch": [
            "namespace",
        ],
        "dynamodb": [
            "leadingkeys",
        ],
        "ec2": [
            "associatepublicipaddress", "availabilityzone", "createaction", "encrypted", "instancemarkettype",
            "instanceprofile", "instancetype", "metadatahttpendpoint", "metadatahttpputresponsehoplimit",
            "metadatahttptokens", "region", "resourcetag/", "subnet", "volumesize", "volumetype", "vpc",
        ],
        "ecr": [
            "resourcetag/",
        ],
        "ecs": [
            "capacity-provider", "cluster", "createaction", "enable-execute-command", "resourcetag/", "task-cpu",
            "task-memory",
        ],
        "iam": [
            "awsservicename", "passedtoservice", "policyarn",
        ],
        "kms": [
            "calleraccount", "encryptioncontextkeys", "requestalias", "viaservice",
        ],
        "lambda": [
            "principal",
        ],
        "s3": [
            "delimiter", "if-match", "if-none-match", "max-keys", "prefix", "tlsversion", "versionid", "x-amz-acl",
            "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-storage-class",
        ],
        "secretsmanager": [
            "name", "secretid", "versionstage",
        ],
        "events": [
            "detail-type", "source", "targetarn",
        ],
        "sns": [
            "endpoint", "protocol",
        ],
        "ssm": [
            "recursive",
        ],
        "sts": [
            "externalid", "rolesessionname",
        ],
        "token.actions.githubusercontent.com": [
            "actor", "aud", "environment", "job_workflow_ref", "ref", "repository", "repository_id", "sub", "workflow",
        ],
    }.items()
    for name in names
)  # fmt: skip
# Keys that go on with what the caller names: the parts of an encryption context.
_KNOWN_BEGINNINGS = ("kms:encryptioncontext:",)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class UnknownElement(Exception):
    """Something in a policy or a request that is not known here. Its text says what."""


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Return whether all of a statement's conditions hold. UnknownElement for an operator or key that is not known."""
    every = [
        _one_holds(operator, key, expected if isinstance(expected, list) else [expected], context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    ]
    return all(every)  # not a generator: what is not known must be found whatever the conditions before it say


def _one_holds(spelled: str, key: str, expected: list[Any], context: Context) -> bool:
    quantifier, _, operator = spelled.rpartition(":")
    if quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise UnknownElement(f"the condition operator {spelled}")
    actual = context.get(_known(key))
    if operator == "Null":
        return (actual is None) == (_text(expected[0]) == "true")
    optional = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    compare = _COMPARISONS.get(operator.replace("Not", ""))
    if compare is None or operator in _WITHOUT_NEGATION:
        raise UnknownElement(f"the condition operator {spelled}")
    if actual is None:
        return optional or quantifier == "ForAllValues" or (negated and not quantifier)
    values = [filled for value in expected if (filled := _filled(_text(value), context, compare)) is not None]

    def fits(one: str) -> bool:
        return any(compare(one, value) for value in values) != negated

    several = actual if isinstance(actual, list) else [actual]
    return all(map(fits, several)) if quantifier == "ForAllValues" else any(map(fits, several))


def _known(key: str) -> str:
    lower = key.lower()
    if lower.startswith(_KNOWN_BEGINNINGS):
        return lower
    if lower not in KNOWN_KEYS and lower.partition("/")[0] + "/" not in KNOWN_KEYS:
        raise UnknownElement(f"the condition key {key}")
    return lower


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(value: str, context: Context, compare: Callable[[str, str], bool]) -> str | None:
    """Return `value` with its variables replaced; None when one of them has no value: then nothing matches."""
    return fill(value, context, literal=compare not in (_like, _arn_like))


def fill(pattern: str, context: Context, *, literal: bool = False) -> str | None:
    """Replace `${aws:username}` and the like. In a pattern, a * or ? inside a value stands for itself only."""
    if "${" not in pattern:
        return pattern
    missing = False

    def value_of(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found.group(1).partition(",")
        name = name.strip()
        if name in ("*", "?", "$"):
            return name if literal or name == "$" else _ESCAPED[name]
        value = context.get(_known(name))
        if value is None and default:
            value = default.strip().strip("'")
        if not isinstance(value, str):
            missing = True
            return ""
        return value if literal else value.replace("*", _ESCAPED["*"]).replace("?", _ESCAPED["?"])

    filled = _VARIABLE.sub(value_of, pattern)
    return None if missing else filled


# Private characters that stand for a literal * and ? in a pattern.
_ESCAPED = {"*": "\ue000", "?": "\ue001"}


@functools.lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    # Not fnmatch: in IAM [ ] mean nothing.
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text.replace("\ue000", r"\*").replace("\ue001", r"\?"), re.DOTALL)


def matches(text: str, pattern: str) -> bool:
    """Return whether `text` fits a pattern with * and ?."""
    return pattern == "*" or _glob(pattern).fullmatch(text) is not None


def _like(actual: str, expected: str) -> bool:
    return matches(actual, expected)


def _arn_like(actual: str, expected: str) -> bool:
    """ARNs are compared part by part: a * does not reach over a colon, except in the last of the six."""
    mine, wanted = actual.split(":", 5), expected.split(":", 5)
    return len(mine) == len(wanted) and all(map(matches, mine, wanted))


def _in_network(actual: str, expected: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)
    except ValueError:
        return False


def _ordered(convert: Callable[[str], float], compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compared(actual: str, expected: str) -> bool:
        try:
            return compare(convert(actual), convert(expected))
        except ValueError:
            return False

    return compared


def _moment(value: str) -> float:
    """Return seconds since the epoch, of an ISO 8601 date or of such a number."""
    try:
        return float(value)
    except ValueError:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda actual, expected: actual == expected,
    "LessThan": lambda actual, expected: actual < expected,
    "LessThanEquals": lambda actual, expected: actual <= expected,
    "GreaterThan": lambda actual, expected: actual > expected,
    "GreaterThanEquals": lambda actual, expected: actual >= expected,
}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "StringEquals": lambda actual, expected: actual == expected,
    "StringEqualsIgnoreCase": lambda actual, expected: actual.lower() == expected.lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,  # the two are the same, says the reference
    "ArnLike": _arn_like,
    "IpAddress": _in_network,
    **{f"Numeric{name}": _ordered(float, compare) for name, compare in _ORDERS.items()},
    **{f"Date{name}": _ordered(_moment, compare) for name, compare in _ORDERS.items()},
}
_WITHOUT_NEGATION = frozenset(
    ["NotBool", *(f"{kind}Not{name}" for kind in ("Numeric", "Date") for name in _ORDERS if name != "Equals")]
)
