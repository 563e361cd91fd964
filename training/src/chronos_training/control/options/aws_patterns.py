r"""AWS's own patterns, as botocore's service models carry them, made to work in Python.

They are written for Java: `\p{L}` is any letter, which Python's `re` does not know but the engine of pydantic-core does;
`\w` and `\d` are ASCII only; and the whole value has to fit.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from pydantic_core import SchemaError, SchemaValidator, core_schema

_ASCII = {"w": "A-Za-z0-9_", "d": "0-9"}


def fits(pattern: str, text: str) -> bool:
    """Return whether the whole text fits the pattern of a service model."""
    return _test_of(pattern)(text)


@functools.cache
def _test_of(pattern: str) -> Callable[[str], bool]:
    plain = _with_ascii_classes(pattern)
    try:
        whole = core_schema.str_schema(pattern=rf"\A(?:{plain})\z", strict=True)
        return SchemaValidator(whole).isinstance_python
    except SchemaError:  # it looks ahead, which that engine does not
        compiled = re.compile(_with_scoped_flags(plain), re.ASCII)
        return lambda text: compiled.fullmatch(text) is not None


def _with_scoped_flags(pattern: str) -> str:
    """Return the pattern with `(?i)` as `(?i:…)`: Java's holds to the end of the group that it stands in, Python has none such."""
    before, flag, rest = pattern.partition("(?i)")
    if not flag:
        return pattern
    depth = 0
    for at, one in enumerate(rest):
        depth += (one == "(") - (one == ")")
        if depth < 0:  # the end of that group
            return f"{before}(?i:{rest[:at]}){_with_scoped_flags(rest[at:])}"
    return f"{before}(?i:{rest})"


def _with_ascii_classes(pattern: str) -> str:
    r"""Return the pattern with Java's meaning of `\w` and `\d`. A flag would make `\p{L}` ASCII as well."""
    parts: list[str] = []
    in_class, at = False, 0
    while at < len(pattern):
        one = pattern[at]
        if one == "\\" and pattern[at + 1 : at + 2] in _ASCII:
            letters = _ASCII[pattern[at + 1]]
            at += 2
            if in_class:  # a "-" beside it is itself there, and would become a range between letters
                if parts[-1] == "-":
                    parts[-1] = r"\-"
                if pattern[at : at + 1] == "-":
                    letters, at = letters + r"\-", at + 1
            parts.append(letters if in_class else f"[{letters}]")
            continue
        if one == "\\":
            parts.append(pattern[at : at + 2])
            at += 2
            continue
        if one == "[":
            in_class = True
        elif one == "]":
            in_class = False
        parts.append(one)
        at += 1
    return "".join(parts)
