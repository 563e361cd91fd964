"""Reads one configuration file, YAML or JSON, and keeps the line of every key for the messages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from chronos_training.core.errors import ConfigurationError

MAX_BYTES = 1_000_000  # a configuration is a page of text; a larger file is the wrong file


class UnusableFile(Exception):
    """Valid YAML or JSON that a configuration may not hold, such as a key that is given twice (parsers keep the last)."""


class _Loader(yaml.SafeLoader):
    """Safe YAML as its version 1.2 reads it (core schema), without duplicate keys, tags, aliases and keys that are not text.

    PyYAML speaks version 1.1, to which 12:30:45 is a number (45,045), `no` is false and 2024-01-31 a date.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                raise UnusableFile(f"line {line}: a key must be a string")
            if key_node.value in seen:
                raise UnusableFile(
                    f"line {line}: key {key_node.value!r} is given twice (first on line {seen[key_node.value]})"
                )
            seen[key_node.value] = line
        return super().construct_mapping(node, deep=True)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        # An alias can make a document explode in size, and no configuration needs one.
        if isinstance(event, yaml.AliasEvent):
            raise UnusableFile(f"line {line}: YAML aliases (*name) are not allowed here")
        if getattr(event, "tag", None) is not None:
            raise UnusableFile(
                f"line {line}: not valid YAML here: tags ({event.tag.removeprefix('tag:yaml.org,2002:')}) are not allowed"
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def whole_number(self, node: yaml.ScalarNode) -> int:
        text = node.value
        if _LEADING_ZERO.match(text):
            raise UnusableFile(
                f"line {node.start_mark.line + 1}: {text} begins with a zero: some programs read it "
                f"as {int(text, 10)}, others as octal. Write {int(text, 10)}"
                + (f", or {int(text, 8)} if that is meant" if set(text) <= set("+-01234567") else "")
            )
        return int(text, 0)


_LEADING_ZERO = re.compile(r"^[-+]?0[0-9]+$")
# The core schema: https://yaml.org/spec/1.2.2/#1032-tag-resolution
_CORE = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}
_Loader.yaml_implicit_resolvers = {}  # none of 1.1
for _kind_of, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind_of}", re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnusableFile(f"key {key!r} is given twice")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise UnusableFile(f"{name} is not allowed as a number in a configuration")


def read_file(path: Path) -> dict[str, Any]:
    """Return the mapping in `path` (.yaml, .yml or .json).

    Raises ConfigurationError with file, line, column and a sentence when it cannot be read, is not valid YAML or JSON,
    is no mapping, or says a key twice.
    """
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise ConfigurationError(f"{path}: a configuration must be a .yaml, .yml or .json file.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file.") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(
            f"{path}: {len(raw):,} bytes are too large for a configuration (at most {MAX_BYTES:,})."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text (byte {error.start}).") from None
    try:
        if path.suffix == ".json":
            data = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        else:
            data = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}: line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}."
        ) from None
    except UnusableFile as error:
        raise ConfigurationError(f"{path}: {error}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = error.problem or error.context or "cannot be understood"
        raise ConfigurationError(f"{path}: {where}not valid YAML: {what}.") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}.") from None
    except (RecursionError, ValueError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(f"{path}: not a usable configuration: {what}.") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}: must be a mapping of keys to values, but is a {_kind(data)}.")
    return data


def _kind(value: Any) -> str:
    return {list: "list", str: "text", int: "number", float: "number", bool: "true/false value"}.get(
        type(value), "value"
    )
