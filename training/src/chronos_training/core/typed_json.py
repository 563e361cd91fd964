"""Reads JSON as frozen dataclasses: what is missing or of another type is told by its name. Standard library only."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read(kind: type[T], content: Any, name: str = "") -> T:
    """Return `content`, a JSON object, as dataclass `kind`; keys that it does not know are left out.

    Raises ValueError that names the key: it is missing and has no default, or holds a value of another type.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{_of(name)} is {content!r}, not an object")
    hints, fields = get_type_hints(kind), dataclasses.fields(kind)  # type: ignore[arg-type]
    none = dataclasses.MISSING
    for one in fields:
        if one.name not in content and one.default is none and one.default_factory is none:
            raise ValueError(f"{_of(name)} has no {one.name}")
    given = (one.name for one in fields if one.name in content)
    return kind(**{key: _value(hints[key], content[key], f"{name}.{key}".strip(".")) for key in given})


def _of(name: str) -> str:
    return f"its key {name}" if name else "it"


def _value(kind: Any, value: Any, name: str) -> Any:
    if kind is Any:
        return value
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = get_args(kind)[0]
    if dataclasses.is_dataclass(kind):
        return read(kind, value, name)  # type: ignore[arg-type]
    base = get_origin(kind) or kind
    if not isinstance(value, {tuple: (list, tuple), float: (int, float)}.get(base, base)):
        raise ValueError(f"{_of(name)} is {value!r}, not of type {base.__name__}")
    return tuple(_value(get_args(kind)[0], one, name) for one in value) if base is tuple else value
