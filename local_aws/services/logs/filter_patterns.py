"""The filter patterns of CloudWatch Logs: terms, JSON and space-delimited fields.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What a message that matches gives to a metric filter: `$.latency` or `$bytes` to its value.
Fields = Callable[[str], Any]


class InvalidPattern(Exception):
    """The text is no filter pattern. It says why."""


@dataclass(frozen=True)
class Pattern:
    """A pattern that was read. `match` returns how to look up fields of the message, None when it does not match."""

    match: Callable[[str], Fields | None]


def _no_field(selector: str) -> Any:
    return None


@functools.lru_cache(maxsize=512)
def read(text: str) -> Pattern:
    """Return the pattern that `text` is. InvalidPattern otherwise."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return _of_json(stripped)
    if stripped.startswith("["):
        return _of_fields(stripped)
    return _of_terms(stripped)


# Terms: ERROR -DEBUG ?one ?other "an exact phrase" %regular expression%

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|([^\s"]+))(?:\s+|$)')


def _of_terms(text: str) -> Pattern:
    wanted: list[re.Pattern[str]] = []
    optional: list[re.Pattern[str]] = []
    excluded: list[re.Pattern[str]] = []
    place = 0
    while place < len(text):
        found = _TERM.match(text, place)
        if found is None:
            raise InvalidPattern(f"Invalid character(s) in term '{text[place:]}'")
        sign, phrase, regex, word = found.groups()
        if word is not None and not re.fullmatch(r"[\w*]+", word):
            # Everything but letters, digits and _ must be in double quotes.
            raise InvalidPattern(f"Invalid character(s) in term '{word}'")
        {"?": optional, "-": excluded, "": wanted}[sign].append(_term(phrase, regex, word))
        place = found.end()

    def match(message: str) -> Fields | None:
        fits = (
            all(term.search(message) for term in wanted)
            and not any(term.search(message) for term in excluded)
            # With a term that must be there, the optional ones are ignored, says the document.
            and (bool(wanted) or not optional or any(term.search(message) for term in optional))
        )
        return _no_field if fits else None

    return Pattern(match)


def _term(phrase: str | None, regex: str | None, word: str | None) -> re.Pattern[str]:
    if regex is not None:
        return _regex(regex)
    text = re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else str(word)
    # A term is found as a whole word: part of one takes a regular expression.
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    after = r"(?!\w)" if text[-1:].isalnum() else ""
    return re.compile(before + re.escape(text) + after)


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise InvalidPattern(f"Invalid regular expression '{text}': {error}") from None


# Expressions, as JSON patterns and the fields of space-delimited ones have them.

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|<=|>=|=|<|>|\(|\)|,|\.\.\.)
    |"(?P<text>(?:[^"\\]|\\.)*)"
    |%(?P<regex>(?:[^%\\]|\\.)+)%
    |(?P<selector>\$(?:\.[\w\-*]+|\[(?:\d+|\*|"[^"]*"|'[^']*')\])+)
    |(?P<word>[^\s"%&|!<>=(),]+))""",
    re.VERBOSE,
)
Test = Callable[[Any], bool]  # of one message, parsed


class _Tokens:
    """The tokens of an expression, read from left to right."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            found = _TOKEN.match(text, place)
            if found is None or found.lastgroup is None:
                raise InvalidPattern(f"Invalid token at '{text[place:].strip()}'")
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            place = found.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[0] if self.tokens else ("end", "")

    def next(self) -> tuple[str, str]:
        if not self.tokens:
            raise InvalidPattern("The pattern ends too early")
        return self.tokens.pop(0)

    def take(self, value: str) -> bool:
        if self.peek() == ("op", value):
            self.tokens.pop(0)
            return True
        return False

    def expression(self, one: Callable[[_Tokens], Test]) -> Test:
        """`one || one && ( … )`, with && before ||."""
        choices = [self._all_of(one)]
        while self.take("||"):
            choices.append(self._all_of(one))
        return choices[0] if len(choices) == 1 else lambda message: any(test(message) for test in choices)

    def _all_of(self, one: Callable[[_Tokens], Test]) -> Test:
        parts = [self._one(one)]
        while self.take("&&"):
            parts.append(self._one(one))
        return parts[0] if len(parts) == 1 else lambda message: all(test(message) for test in parts)

    def _one(self, one: Callable[[_Tokens], Test]) -> Test:
        if not self.take("("):
            return one(self)
        inner = self.expression(one)
        if not self.take(")"):
            raise InvalidPattern("A parenthesis is not closed")
        return inner


_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _comparison(sign: str, kind: str, value: str) -> Callable[[Any], bool]:
    """Return the test of one value: a number of JSON, or text."""
    if sign in _ORDERS:
        try:
            limit = float(value)
        except ValueError:
            raise InvalidPattern(f"'{value}' is no number") from None
        order = _ORDERS[sign]
        return lambda actual: (mine := number(actual)) is not None and bool(order(mine, limit))
    if kind == "regex":
        pattern = _regex(value)

        def equal(actual: Any) -> bool:
            return isinstance(actual, str) and bool(pattern.search(actual))

    elif kind == "word" and (wanted := number(value)) is not None:

        def equal(actual: Any) -> bool:
            return number(actual) == wanted

    else:
        text = re.sub(r"\\(.)", r"\1", value) if kind == "text" else value
        glob = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
        any_number = kind == "word" and "*" in value  # { $.latency = * } is for numbers, too

        def equal(actual: Any) -> bool:
            return (any_number or isinstance(actual, str)) and bool(glob.fullmatch(str(actual)))

    return equal if sign == "=" else lambda actual: not equal(actual)


def number(value: Any) -> float | None:
    """Return a number, or text that is one, as a number."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


# JSON: { $.status >= 500 && ($.path = "/predict*" || $.retries[0] IS NULL) }


def _of_json(text: str) -> Pattern:
    if not text.endswith("}"):
        raise InvalidPattern("A JSON pattern ends with }")
    tokens = _Tokens(text[1:-1])
    if not tokens.tokens:
        raise InvalidPattern("The JSON pattern is empty")
    test = tokens.expression(_json_test)
    if tokens.tokens:
        raise InvalidPattern(f"Unexpected '{tokens.peek()[1]}'")

    def match(message: str) -> Fields | None:
        try:
            document = json.loads(message)
        except ValueError:
            return None
        if not isinstance(document, dict | list) or not test(document):
            return None
        return lambda selector: _first(select(document, selector))

    return Pattern(match)


def _first(values: list[Any]) -> Any:
    return values[0] if values else None


def _json_test(tokens: _Tokens) -> Test:
    kind, selector = tokens.next()
    if kind != "selector":
        raise InvalidPattern(f"'{selector}' is no property selector")
    kind, sign = tokens.next()
    if kind == "word":
        words = f"{sign} {tokens.next()[1]}".upper()
        if words == "NOT EXISTS":
            return lambda document: not select(document, selector)
        if words not in _IS:
            raise InvalidPattern(f"Unexpected '{words}'")
        wanted = _IS[words]
        return lambda document: any(value is wanted for value in select(document, selector))
    if sign not in ("=", "!=", *_ORDERS):
        raise InvalidPattern(f"Unexpected '{sign}'")
    kind, value = tokens.next()
    fits = _comparison(sign, kind, value)
    # Arrays and objects are not compared: with them, and without the property, it does not match.
    return lambda document: any(
        fits(actual) for actual in select(document, selector) if not isinstance(actual, dict | list | None)
    )


_IS = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False}
_STEP = re.compile(r"""\.([\w\-*]+)|\[(\d+|\*|"[^"]*"|'[^']*')\]""")


def select(document: Any, selector: str) -> list[Any]:
    """Return what `$.a.b[0]` is of a document: nothing, one value, or several for a *."""
    found = [document]
    for name, index in _STEP.findall(selector):
        step = name or index.strip("\"'")
        following: list[Any] = []
        for value in found:
            if step == "*":
                following += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
            elif isinstance(value, dict) and step in value:
                following.append(value[step])
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                following.append(value[int(step)])
        found = following
    return found


# Space-delimited: [ip, user, ..., status_code = 4*, bytes > 1000]

_PIECE = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')


def _of_fields(text: str) -> Pattern:
    if not text.endswith("]"):
        raise InvalidPattern("A space-delimited pattern ends with ]")
    tokens = _Tokens(text[1:-1])
    fields: list[tuple[str, Test | None]] = []
    while tokens.tokens:
        if tokens.take("..."):
            fields.append(("...", None))
        else:
            fields.append(_field(tokens))
        if tokens.tokens and not tokens.take(","):
            raise InvalidPattern(f"Unexpected '{tokens.peek()[1]}'")
    ellipses = [place for place, (name, _) in enumerate(fields) if name == "..."]
    if not fields or len(ellipses) > 1:
        raise InvalidPattern("A space-delimited pattern has fields, and one ellipsis at most")

    def match(message: str) -> Fields | None:
        pieces = ["".join(groups) for groups in _PIECE.findall(message)]
        mine = list(fields)
        if ellipses:
            missing = len(pieces) - (len(fields) - 1)
            if missing < 0:
                return None
            mine[ellipses[0] : ellipses[0] + 1] = [("", None)] * missing
        if len(pieces) != len(mine):
            return None
        if not all(test is None or test(piece) for (_, test), piece in zip(mine, pieces, strict=True)):
            return None
        named = {f"${name}": piece for (name, _), piece in zip(mine, pieces, strict=True) if name}
        named |= {f"${place}": piece for place, piece in enumerate(pieces, start=1)}
        return named.get

    return Pattern(match)


def _field(tokens: _Tokens) -> tuple[str, Test | None]:
    kind, name = tokens.peek()
    if kind == "word" and (len(tokens.tokens) == 1 or tokens.tokens[1] == ("op", ",")):
        tokens.next()
        return name, None
    named: list[str] = []

    def one(inner: _Tokens) -> Test:
        kind, name = inner.next()
        if kind != "word":
            raise InvalidPattern(f"'{name}' is no field's name")
        named.append(name)
        _, sign = inner.next()
        if sign not in ("=", "!=", *_ORDERS):
            raise InvalidPattern(f"Unexpected '{sign}'")
        return _comparison(sign, *inner.next())

    test = tokens.expression(one)
    return named[0], test
