"""Event patterns, with every operator that EventBridge documents.

moto 5.2.5 takes any operator (and lets it match everything), does not look into arrays of objects, mistakes a dot in a name for a
step, and takes true for 1.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

_ABSENT = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}
_LARGEST = 5e9


class InvalidPattern(ValueError):
    """EventBridge refuses the pattern; `args[0]` is the reason."""


def check(text: str) -> dict[str, Any]:
    """Return a pattern that was given as text. InvalidPattern."""
    try:
        pattern = json.loads(text)
    except ValueError:
        raise InvalidPattern("Invalid JSON") from None
    if not isinstance(pattern, dict):
        raise InvalidPattern("Filter is not an object")
    if not pattern:
        raise InvalidPattern("Empty patterns are not allowed")
    _check_object(pattern)
    return pattern


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Return whether an event (or a part of one) fits a pattern that `check` has taken."""
    if isinstance(event, list):  # of objects: one of them must fit as a whole
        return any(matches(pattern, one) for one in event)
    fields = event if isinstance(event, dict) else {}
    return all(_member_matches(name, wanted, fields) for name, wanted in pattern.items())


def _member_matches(name: str, wanted: Any, fields: dict[str, Any]) -> bool:
    if name == "$or" and isinstance(wanted, list):
        return any(matches(one, fields) for one in wanted)
    value = fields.get(name, _ABSENT)
    if isinstance(wanted, dict):
        return matches(wanted, {} if value is _ABSENT else value)
    leaves = list(_leaves(value))
    return any(_one_matches(one, leaves) for one in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    """A value, or those in an array. An object is none."""
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not _ABSENT and not isinstance(value, dict):
        yield value


def _one_matches(wanted: Any, leaves: list[Any]) -> bool:
    if isinstance(wanted, dict):
        [(name, argument)] = wanted.items()
        if name == "exists":
            return bool(leaves) == argument
        return any(_OPERATORS[name][1](argument, leaf) for leaf in leaves)
    return any(_same(wanted, leaf) for leaf in leaves)


def _same(wanted: Any, value: Any) -> bool:
    # As they are written: 300 and 300.0 are two, and so are 1 and true.
    return bool(json.dumps(wanted) == json.dumps(value))


# Operators: each checks its argument, and compares it with a value.


def _text(argument: Any, name: str) -> str:
    if not isinstance(argument, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return argument


def _several(check_one: Callable[[Any], None]) -> Callable[[Any], None]:
    def check_each(argument: Any) -> None:
        for one in argument if isinstance(argument, list) else [argument]:
            check_one(one)
        if argument == []:
            raise InvalidPattern("Empty arrays are not allowed")

    return check_each


def _check_affix(argument: Any) -> None:
    if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"]:
        argument = argument["equals-ignore-case"]
    if not _text(argument, "prefix or suffix"):
        raise InvalidPattern("prefix and suffix match patterns must not be empty")


def _affix(method: str) -> Callable[[Any, Any], bool]:
    def fits(argument: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, dict):
            value, argument = value.lower(), argument["equals-ignore-case"].lower()
        return bool(getattr(value, method)(argument))

    return fits


def _check_numeric(argument: Any) -> None:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise InvalidPattern("numeric match pattern must be one or two comparisons")
    for sign, number in zip(argument[::2], argument[1::2], strict=True):
        if sign not in _COMPARE:
            raise InvalidPattern(f"Unrecognized numeric range operator: {sign}")
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise InvalidPattern(f"Value of {sign} must be numeric")
        if abs(number) > _LARGEST:
            raise InvalidPattern("Value must be between -5.0e9 and 5.0e9, inclusive")
    if len(argument) == 4 and (argument[0] not in (">", ">=") or argument[2] not in ("<", "<=")):
        raise InvalidPattern("Bad numeric range operator")
    if len(argument) == 4 and argument[1] >= argument[3]:
        raise InvalidPattern("Bottom must be less than top")


def _numeric(argument: Any, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return all(_COMPARE[sign](value, number) for sign, number in zip(argument[::2], argument[1::2], strict=True))


def _check_cidr(argument: Any) -> None:
    try:
        ipaddress.ip_network(_text(argument, "cidr"), strict=False)
    except ValueError:
        raise InvalidPattern("Malformed CIDR, one '/' required") from None


def _in_network(argument: Any, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


def _check_wildcard(argument: Any) -> None:
    if re.search(r"(?<!\\)\*\*", _text(argument, "wildcard")):
        raise InvalidPattern("Consecutive wildcard characters")
    if re.search(r"(?<!\\)(?:\\\\)*\\(?![\\*])", argument):
        raise InvalidPattern("Invalid escape character")


def _wildcard(argument: Any, value: Any) -> bool:
    parts = re.findall(r"\\[\\*]|\*|[^\\*]+", argument)
    pattern = "".join(".*" if part == "*" else re.escape(re.sub(r"\\([\\*])", r"\1", part)) for part in parts)
    return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None


def _ignoring_case(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == argument.lower()


def _check_anything_but(argument: Any) -> None:
    if isinstance(argument, dict):
        if len(argument) != 1 or not set(argument) <= _NEGATED:
            raise InvalidPattern(f"Unrecognized anything-but match: {', '.join(argument)}")
        [(name, inner)] = argument.items()
        _several(_OPERATORS[name][0])(inner)
        return
    for one in argument if isinstance(argument, list) and argument else [argument]:
        if not isinstance(one, (str, int, float)) or isinstance(one, bool):
            raise InvalidPattern("anything-but matches must be strings or numbers")


def _anything_but(argument: Any, value: Any) -> bool:
    if not isinstance(argument, dict):
        return not any(_same(one, value) for one in (argument if isinstance(argument, list) else [argument]))
    [(name, inner)] = argument.items()
    return not any(_OPERATORS[name][1](one, value) for one in (inner if isinstance(inner, list) else [inner]))


def _check_exists(argument: Any) -> None:
    if not isinstance(argument, bool):
        raise InvalidPattern("exists match pattern must be either true or false")


def _check_ignoring_case(argument: Any) -> None:
    _text(argument, "equals-ignore-case")


_NEGATED = frozenset(["prefix", "suffix", "equals-ignore-case", "wildcard"])
_OPERATORS: dict[str, tuple[Callable[[Any], None], Callable[[Any, Any], bool]]] = {
    "anything-but": (_check_anything_but, _anything_but),
    "cidr": (_check_cidr, _in_network),
    "equals-ignore-case": (_check_ignoring_case, _ignoring_case),
    "exists": (_check_exists, lambda argument, value: bool(argument)),
    "numeric": (_check_numeric, _numeric),
    "prefix": (_check_affix, _affix("startswith")),
    "suffix": (_check_affix, _affix("endswith")),
    "wildcard": (_check_wildcard, _wildcard),
}


def _check_object(pattern: dict[str, Any]) -> None:
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list):
            if len(wanted) < 2 or not all(isinstance(one, dict) and one for one in wanted):
                raise InvalidPattern("$or must be an array of two or more objects")
            for one in wanted:
                _check_object(one)
        elif isinstance(wanted, dict):
            if not wanted:
                raise InvalidPattern("Empty objects are not allowed")
            _check_object(wanted)
        elif not isinstance(wanted, list):
            raise InvalidPattern(f'"{name}" must be an object or an array')
        elif not wanted:
            raise InvalidPattern("Empty arrays are not allowed")
        else:
            for one in wanted:
                _check_value(one)


def _check_value(wanted: Any) -> None:
    if isinstance(wanted, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null")
    if not isinstance(wanted, dict):
        return
    if len(wanted) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    [(name, argument)] = wanted.items()
    if name not in _OPERATORS:
        raise InvalidPattern(f"Unrecognized match type {name}")
    _OPERATORS[name][0](argument)
