"""The embedded AWS refuses what AWS's own models forbid: every rule of every member of every operation of the services.

The requests are generated from botocore's models and written by its serializers; one member of each breaks one rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chronos_training.control.options.aws_patterns import fits
from local_aws.strict.model import violations

from .strict_requests import answer, service

SERVICES = ("ec2", "events", "iam", "s3", "scheduler", "sns", "sqs", "ssm", "sts")
CODES = {
    "ec2": {"MissingParameter", "InvalidParameterValue"},
    "events": {"ValidationException"},
    "iam": {"ValidationError"},
    "s3": {"MalformedXML", "InvalidArgument", "400"},  # an answer to HEAD has no words
    "scheduler": {"ValidationException"},
    "sns": {"ValidationError"},
    "sqs": {"MissingParameter", "InvalidParameterValue"},
    "ssm": {"ValidationException"},
    "sts": {"ValidationError"},
}
# Values of many kinds: one of them fits each pattern or breaks it.
SAMPLES = (
    "a", "abc", "Key-1", "1", "100", "12345678901234567890", "local", "<&>", "ü", "\u0007", "a/b", "/", "/a/", "a b",
    "arn:aws:iam::123456789012:role/x", "arn:aws:sqs:us-east-1:123456789012:q", "123456789012", "v1", "100%", "$LATEST",
    "arn:aws:scheduler:us-east-1:123456789012:schedule-group/g", "i-0123456789abcdef0", "AWS:a", "{", "a\nb", "-", "",
)  # fmt: skip
# Where the model says less than the documents; see test_documented.py.
DOCUMENTED = {
    "BucketName": "a-bucket",
    "ScheduleExpression": "rate(1 day)",
    "TargetArn": "arn:aws:sqs:us-east-1:123456789012:q",
}
# What they need is in no model at all: an event in JSON; a topic, a target or a telephone.
NEED_MORE = {"TestEventPattern", "Publish"}
HOW_DEEP = 4
# ListDirectoryBuckets differs from ListBuckets by its host name alone.
NOT_TOLD_APART = {"ListDirectoryBuckets"}


def right(shape: Any, depth: int = 0) -> Any:
    """Return a value that breaks no rule of the shape: as little as there can be. None when none is found."""
    rules = shape.metadata
    if shape.name in DOCUMENTED:
        return DOCUMENTED[shape.name]
    if shape.type_name == "structure":
        values = {name: right(shape.members[name], depth + 1) for name in shape.required_members}
        return values if all(value is not None for value in values.values()) and depth < 8 else None
    if shape.type_name == "list":
        one = right(shape.member, depth + 1)
        return None if one is None else [one] * max(1, int(rules.get("min", 1)))
    if shape.type_name == "map":
        key, value = right(shape.key, depth + 1), right(shape.value, depth + 1)
        return None if key is None or value is None else {key: value}
    if shape.type_name == "string":
        if "enum" in rules:
            return rules["enum"][0]
        least, most = int(rules.get("min", 0)), int(rules.get("max", 10**6))
        candidates = [s for s in SAMPLES if s] + [c * least for c in "a1/"]
        fits = [s for s in candidates if least <= len(s) <= most and fits_pattern(rules, s)]
        return fits[0] if fits else None
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "blob":
        return b"a" * max(1, int(rules.get("min", 0)))
    if shape.type_name == "timestamp":
        return "2030-01-01T00:00:00Z"
    return max(1, int(rules.get("min", 1)))


def fits_pattern(rules: dict[str, Any], text: str) -> bool:
    return "pattern" not in rules or fits(rules["pattern"], text)


def wrong(shape: Any) -> Iterator[tuple[str, Any]]:
    """Yield values that break one rule of the shape, each with the rule."""
    rules = shape.metadata
    if shape.type_name == "string":
        if "enum" in rules:
            yield "enum", "no-such-choice"
        if "pattern" in rules:
            broken = [s for s in SAMPLES if s and not fits_pattern(rules, s)]
            yield from [("pattern", s) for s in broken[:1]]
        if 0 < int(rules.get("max", 0)) <= 10_000:
            yield "longest", "a" * (int(rules["max"]) + 1)
        if int(rules.get("min", 0)) > 1:
            yield "shortest", "a"
    elif shape.type_name in ("integer", "long"):
        yield from [("largest", int(rules["max"]) + 1)] if "max" in rules else []
        yield from [("smallest", int(rules["min"]) - 1)] if "min" in rules else []
    elif shape.type_name == "list" and "max" in rules and int(rules["max"]) <= 100:
        one = right(shape.member)
        yield from [] if one is None else [("most", [one] * (int(rules["max"]) + 1))]


def broken_values(shape: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield values of the shape in which one thing is broken, at any depth, with its place and rule."""
    yield from wrong(shape)
    if depth > HOW_DEEP:
        return
    if shape.type_name == "structure":
        base = right(shape)
        if base is None:
            return
        for name in shape.required_members:
            if depth and not shape.members[name].metadata.get("idempotencyToken"):
                yield f"{name} required", {k: v for k, v in base.items() if k != name}
        for name, member in shape.members.items():
            for what, value in broken_values(member, depth + 1):
                yield f"{name}.{what}", {**base, name: value}
    elif shape.type_name == "list":
        yield from ((what, [value]) for what, value in broken_values(shape.member, depth + 1))
    elif shape.type_name == "map":
        key, value = right(shape.key), right(shape.value)
        if key is not None and value is not None:
            yield from ((f"key {what}", {one: value}) for what, one in broken_values(shape.key, depth + 1))
            yield from ((f"value {what}", {key: one}) for what, one in broken_values(shape.value, depth + 1))


@dataclass(frozen=True)
class Case:
    """One request of a service, and what is broken in it."""

    action: str
    what: str
    given: dict[str, Any]


def cases(name: str) -> Iterator[Case]:
    """Yield every request with one broken member that botocore's serializer can write."""
    for action in service(name).operation_names:
        operation = service(name).operation_model(action)
        if operation.input_shape is None or operation.deprecated or action in NOT_TOLD_APART:
            continue
        for what, given in broken_values(operation.input_shape):
            # What is in the path would make another path: the service then knows no such operation.
            places = {n for n, m in operation.input_shape.members.items() if m.serialization.get("location") == "uri"}
            if not any(what.startswith(place) for place in places) and can_be_sent(service(name).protocol, given):
                yield Case(action, what, given)


def can_be_sent(protocol: str, value: Any) -> bool:
    """Return whether the wire has words for it: a form leaves out a structure or list with nothing in it."""
    if isinstance(value, dict):
        return all(
            can_be_sent(protocol, one) and (one != {} or protocol not in ("ec2", "query")) for one in value.values()
        )
    if isinstance(value, list):
        return all(can_be_sent(protocol, one) and (one != {} or protocol not in ("ec2", "query")) for one in value)
    return True


@pytest.mark.parametrize("name", SERVICES)
def test_every_rule_of_the_models_is_kept(name: str) -> None:
    tried, let_through = 0, []
    for case in cases(name):
        tried += 1
        if answer(name, case.action, case.given) not in CODES[name]:
            let_through.append(f"{case.action} {case.what}")
    assert let_through == []
    assert tried > {"sns": 20, "sqs": 5, "sts": 20}.get(name, 100)


@pytest.mark.parametrize("name", SERVICES)
def test_the_least_request_that_keeps_them_is_let_through(name: str) -> None:
    refused = {}
    for action in service(name).operation_names:
        shape = service(name).operation_model(action).input_shape
        given = right(shape) if shape is not None else {}
        if given is not None and can_be_sent(service(name).protocol, given):
            code = answer(name, action, given)
            if code and action not in NEED_MORE:
                refused[action] = code
    assert refused == {}


@pytest.mark.parametrize(
    ("shape", "right", "wrong"), [("ChecksumMode", "enabled", "on"), ("FilterRuleName", "Prefix", "key")]
)
def test_what_aws_takes_in_any_case_is_taken_in_any_case(shape, right, wrong):
    """AWS's C client, which boto3 uses with awscrt, sends x-amz-checksum-mode: enabled."""
    rules = service("s3").shape_for(shape)
    assert not list(violations(rules, right, "value"))
    assert [one.rule for one in violations(rules, wrong, "value")]
