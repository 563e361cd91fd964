"""The rule of a composite alarm: ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA("arn:aws:…:alarm:c")), TRUE, FALSE.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

States = Callable[[str], str]  # an alarm's name to its state
Test = Callable[[States], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<call>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*
    (?:"(?P<quoted>[^"]+)"|'(?P<single>[^']+)'|(?P<plain>[^\s()"']+))\s*\)
    |(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<paren>[()]))""",
    re.VERBOSE,
)


class InvalidRule(Exception):
    """The text is no rule. It says why."""


@dataclass(frozen=True)
class Rule:
    """A rule that was read; `names` are the alarms in it."""

    holds: Test
    names: frozenset[str]


@functools.lru_cache(maxsize=256)
def read(text: str) -> Rule:
    """Return the rule that `text` is. InvalidRule otherwise."""
    tokens: list[tuple[str, str]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise InvalidRule(f"unexpected '{text[place:].strip()[:40]}'")
        if found["call"]:
            name = str(found["quoted"] or found["single"] or found["plain"])
            tokens.append((found["call"], name.rpartition(":alarm:")[2]))
        else:
            tokens.append((found["word"] or found["paren"], ""))
        place = found.end()
    names = frozenset(name for _, name in tokens if name)
    test = _any_of(tokens)
    if tokens:
        raise InvalidRule(f"unexpected '{tokens[0][0]}'")
    return Rule(test, names)


def _any_of(tokens: list[tuple[str, str]]) -> Test:
    parts = [_all_of(tokens)]
    while tokens and tokens[0][0] == "OR":
        tokens.pop(0)
        parts.append(_all_of(tokens))
    return lambda states: any(part(states) for part in parts)


def _all_of(tokens: list[tuple[str, str]]) -> Test:
    parts = [_one(tokens)]
    while tokens and tokens[0][0] == "AND":
        tokens.pop(0)
        parts.append(_one(tokens))
    return lambda states: all(part(states) for part in parts)


def _one(tokens: list[tuple[str, str]]) -> Test:
    if not tokens:
        raise InvalidRule("it ends too early")
    kind, name = tokens.pop(0)
    if kind == "NOT":
        inner = _one(tokens)
        return lambda states: not inner(states)
    if kind == "(":
        inner = _any_of(tokens)
        if not tokens or tokens.pop(0)[0] != ")":
            raise InvalidRule("a parenthesis is not closed")
        return inner
    if kind in ("TRUE", "FALSE"):
        return lambda states: kind == "TRUE"
    if not name:
        raise InvalidRule(f"unexpected '{kind}'")
    return lambda states: states(name) == kind
