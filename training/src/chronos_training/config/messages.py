"""Turns pydantic's findings into lines for people: file, key, value, what is allowed, nearest known name."""

from __future__ import annotations

import difflib
import json
import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from chronos_training.config.bounds import WHY
from chronos_training.config.fields import EARLIER_RUN
from chronos_training.config.schema import TrainingConfig

# pydantic's words for a number beyond a limit.
_BEYOND = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def field_at(path: tuple[int | str, ...]) -> FieldInfo | None:
    """Return the field that a path of keys names; list positions are skipped. None when there is none."""
    model: type[BaseModel] | None = TrainingConfig
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return field if model is None else None
        field = model.model_fields[part]
        annotation = field.annotation
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return field


def section_at(path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the section (or the whole file) that a path names, or None when it names a value."""
    if not path:
        return TrainingConfig
    field = field_at(path)
    annotation = field.annotation if field else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def all_keys() -> list[str]:
    """Return every dotted key of the schema, in its order."""
    keys: list[str] = []
    for name, field in TrainingConfig.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += [f"{name}.{key}" for key in inner.model_fields]
        else:
            keys.append(name)
    return keys


def allowed(field: FieldInfo) -> str:
    """Return in words what a field takes: its type, range and choices."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    annotation = field.annotation
    options = [a for a in typing.get_args(annotation) if a is not type(None)]
    if is_or_auto(annotation):
        number = next(a for a in options if typing.get_origin(a) is typing.Annotated)
        return f"auto or {allowed(FieldInfo.from_annotation(number))}"
    optional = type(None) in typing.get_args(annotation)
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        base = typing.get_args(options[0])[0] if typing.get_origin(options[0]) is typing.Annotated else options[0]
        metadata = [*field.metadata]
    else:
        base, metadata = annotation, [*field.metadata]
    if typing.get_origin(base) is typing.Literal:
        return "one of: " + ", ".join(str(choice) for choice in typing.get_args(base))
    if typing.get_origin(base) is list:
        return _list_of(typing.get_args(base)[0], metadata) + (", or empty" if optional else "")
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        base, "a section with keys"
    )
    return (words + _limits(metadata) + (", or empty" if optional else "")).strip()


def is_or_auto(annotation: Any) -> bool:
    """Return whether a field takes a number with limits, or the word auto."""
    options = typing.get_args(annotation)
    return typing.Literal["auto"] in options and any(typing.get_origin(a) is typing.Annotated for a in options)


def _list_of(item: Any, metadata: list[Any]) -> str:
    if typing.get_origin(item) is typing.Literal:
        return "a list of: " + ", ".join(str(choice) for choice in typing.get_args(item))
    base = typing.get_args(item)[0] if typing.get_origin(item) is typing.Annotated else item
    # The only lists of numbers are quantile levels; `Quantile` is a number within a number.
    if base is not str:
        return "a strictly increasing list of numbers greater than 0 and less than 1"
    most = next((m.max_length for m in metadata if getattr(m, "max_length", None)), None)
    return "a list of strings" + (f", at most {most}" if most else "")


def _limits(metadata: list[Any]) -> str:
    low = high = ""
    extra: list[str] = []
    for item in metadata:
        if (ge := getattr(item, "ge", None)) is not None:
            low = f"from {ge:,}" if isinstance(ge, int) else f"of at least {ge:g}"
        if (gt := getattr(item, "gt", None)) is not None:
            low = f"greater than {gt:g}"
        if (le := getattr(item, "le", None)) is not None:
            high = f"to {le:,}" if low.startswith("from") else f"at most {le:g}"
        if (lt := getattr(item, "lt", None)) is not None:
            high = f"less than {lt:g}"
        if (multiple := getattr(item, "multiple_of", None)) is not None:
            extra.append(f"a multiple of {multiple}")
        if (longest := getattr(item, "max_length", None)) is not None:
            extra.append(f"at most {longest} characters")
        if getattr(item, "min_length", None):
            extra.append("not empty")
        if getattr(item, "pattern", None) == EARLIER_RUN:
            extra.append("YYYYMMDD-HHMMSS or latest")
        elif getattr(item, "pattern", None) is not None:
            extra.append(
                "lower-case letters, digits, '.', '_' and '-', at most 63 characters, beginning with a letter or digit"
            )
    joiner = " " if high.startswith("to ") else " and "
    limits = joiner.join(part for part in (low, high) if part)
    return (f" {limits}" if limits else "") + (f" ({'; '.join(extra)})" if extra else "")


def nearest(name: str, known: list[str]) -> str:
    """Return ` Did you mean 'x'?` for the nearest known name, or an empty text."""
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f" Did you mean {found[0]!r}?" if found else ""


def nearest_key(path: tuple[int | str, ...]) -> str:
    """Return the hint for an unknown key: the nearest key of its section, else the same key in another section."""
    section, name = section_at(path[:-1]), str(path[-1])
    siblings = list(section.model_fields) if section else []
    if hint := nearest(name, siblings):
        prefix = ".".join(str(part) for part in path[:-1])
        return hint if not prefix else hint.replace("mean '", f"mean '{prefix}.")
    elsewhere = {key.rsplit(".", 1)[-1]: key for key in all_keys()}
    found = difflib.get_close_matches(name.lower(), list(elsewhere), n=1, cutoff=0.7)
    if found:
        return f" Did you mean {elsewhere[found[0]]!r}?"
    return f" Known keys here: {', '.join(siblings)}." if siblings else ""


def show(value: Any) -> str:
    """Return a value as the user wrote it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def lines_of(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Return (path of keys, message without the file) for every finding, in the order of the schema."""
    found = []
    told: set[tuple[int | str, ...]] = set()
    for item in error.errors(include_url=False):
        path = tuple(item["loc"])
        if len(path) > 1 and (field := field_at(path[:-1])) is not None and is_or_auto(field.annotation):
            path = path[:-1]  # one finding for the number, and one for auto
            if path in told:
                continue
            told.add(path)
        kind, message = item["type"], item["msg"].removeprefix("Value error, ")
        if kind == "value_error" and "|" in message:
            key, message = message.split("|", 1)
            value = _value_at(item["input"], key)
            path = (*path, *key.split("."))
            found.append(
                (
                    path,
                    f"{dotted(path)}: {'default ' if value is None else show(value) + ' '}is not allowed: {message}.",
                )
            )
            continue
        found.append((path, _line(path, kind, message, item["input"])))
    return found


def _value_at(given: Any, key: str) -> Any:
    """Return the value of a dotted key in what was given, None when it was not given."""
    for part in key.split("."):
        given = given.get(part) if isinstance(given, dict) else getattr(given, part, None)
    return given


def _line(path: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    key = dotted(path)
    if kind == "extra_forbidden":
        return f"{key}: unknown key (value {show(value)}).{nearest_key(path)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        section = section_at(path)
        keys = ", ".join(section.model_fields) if section else ""
        return f"{key}: {show(value)} is not allowed: must be a section with keys {keys}."
    field = field_at(path)
    must = allowed(field) if field else message
    line = f"{key}: {show(value)} is not allowed: must be {must}"
    if kind in _BEYOND and key in WHY:
        line += f": {WHY[key]}"
    if kind == "value_error":
        return f"{key}: {show(value)} is not allowed: {message}."
    if kind == "literal_error" and field:
        item = typing.get_args(field.annotation)[0] if typing.get_origin(field.annotation) is list else field.annotation
        choices = [str(choice) for choice in typing.get_args(item)]
        return f"{line}.{nearest(str(value), choices)}"
    return line + "."


def dotted(path: tuple[int | str, ...]) -> str:
    """Return `forecast.quantile_levels[1]` for a path of keys and positions."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text or "(whole file)"
