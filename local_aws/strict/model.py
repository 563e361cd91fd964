"""The rules in botocore's models. Clients keep required members, types and lower limits; everything else only AWS checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chronos_training.control.options.aws_patterns import fits

# The model has prefix and suffix; S3 takes Prefix as well, and answers with that. AWS's own C client, which boto3 uses with
# awscrt, sends x-amz-checksum-mode: enabled; the model has ENABLED.
_IN_ANY_CASE = {"ChecksumMode", "FilterRuleName"}
NUMBERS = {"integer", "long", "float", "double", "short"}


@dataclass(frozen=True)
class Violation:
    """One member that breaks a rule. `where` as AWS writes it: `tags.1.member.value`. `rule` is AWS's sentence."""

    where: str
    value: Any
    rule: str
    kind: str  # required, enum, pattern, length or range

    def __str__(self) -> str:
        if self.kind == "required":
            return f"Value null at '{self.where}' failed to satisfy constraint: {self.rule}"
        # What may be long is not repeated, nor what XML cannot say.
        text = str(self.value)
        shown = f"Value '{text}'" if len(text) <= 256 and text.isprintable() else "Value"
        return f"{shown} at '{self.where}' failed to satisfy constraint: {self.rule}"


def violations(shape: Any, value: Any, where: str = "") -> Iterator[Violation]:
    """Yield what `value` breaks of the rules of `shape` and everything in it."""
    rules = shape.metadata
    if shape.type_name == "structure":
        if isinstance(value, dict) and not getattr(shape, "is_document_type", False):
            yield from _structure(shape, value, where)
    elif shape.type_name == "list":
        yield from _size(rules, len(value), value, where)
        for number, item in enumerate(value, start=1):
            yield from violations(shape.member, item, f"{where}.{number}.member")
    elif shape.type_name == "map":
        yield from _size(rules, len(value), value, where)
        for key, item in value.items():
            yield from violations(shape.key, key, f"{where}.key")
            yield from violations(shape.value, item, f"{where}.{key}.value")
    elif shape.type_name in ("string", "character"):
        yield from _text(shape, str(value), where)
    elif shape.type_name in NUMBERS:
        yield from _range(rules, value, where)


def _structure(shape: Any, value: dict[str, Any], where: str) -> Iterator[Violation]:
    for name in shape.required_members:
        # A token that the client may leave out is made up by it.
        if value.get(name) is None and not shape.members[name].metadata.get("idempotencyToken"):
            yield Violation(_below(where, name), None, "Member must not be null", "required")
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from violations(member, value[name], _below(where, name))


def _text(shape: Any, value: str, where: str) -> Iterator[Violation]:
    rules = shape.metadata
    yield from _size(rules, len(value), value, where)
    if rules.get("enum") and not _is_one_of(rules["enum"], value, shape.name in _IN_ANY_CASE):
        said = f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]"
        yield Violation(where, value, said, "enum")
    pattern = rules.get("pattern")
    if pattern and not fits(pattern, value):
        said = f"Member must satisfy regular expression pattern: {pattern}"
        yield Violation(where, value, said, "pattern")


def _size(rules: dict[str, Any], size: int, value: Any, where: str) -> Iterator[Violation]:
    if "min" in rules and size < int(rules["min"]):
        said = f"Member must have length greater than or equal to {rules['min']}"
        yield Violation(where, value, said, "length")
    if "max" in rules and size > int(rules["max"]):
        yield Violation(where, value, f"Member must have length less than or equal to {rules['max']}", "length")


def _range(rules: dict[str, Any], value: Any, where: str) -> Iterator[Violation]:
    if "min" in rules and float(value) < float(rules["min"]):
        said = f"Member must have value greater than or equal to {rules['min']}"
        yield Violation(where, value, said, "range")
    if "max" in rules and float(value) > float(rules["max"]):
        yield Violation(where, value, f"Member must have value less than or equal to {rules['max']}", "range")


def _below(where: str, name: str) -> str:
    camel = name[:1].lower() + name[1:]
    return f"{where}.{camel}" if where else camel


def _is_one_of(values: list[str], value: str, in_any_case: bool) -> bool:
    if in_any_case:
        return value.lower() in {one.lower() for one in values}
    return value in values
