"""What a person may set: the options that the roles document, how they are shown, and what is wrong with a name."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What our variables begin with: each stack has its own.
PREFIXES = ("training_", "volatility_")
# Above this a name is taken for a misspelling of another, not for something else.
ALIKE = 0.8
WORD = re.compile(rf"\b(?:{'|'.join(PREFIXES)})\w+")
_MARKUP = re.compile(r"\b[BCIMOV]\(([^)]*)\)")
_WIDTH = 78
# Every command reads what all roles document: a tenth of a second without libyaml, which PyYAML may have been built without.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Role:
    """The documentation of a role, or of one entry point of a role that has several.

    `name` is what its options begin with (`entry_name`); `folder` and `entry` say where it is. `options` are those of
    meta/argument_specs.yml; every one has a default in it or none. `refers` are the project's variables that the defaults
    of its options name: the inventory sets them, or an earlier role does.
    """

    name: str
    folder: str
    entry: str
    short: str
    description: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    refers: frozenset[str]

    def given(self) -> list[str]:
        """Return the options that a person sets: those whose default is not taken from another of the variables."""
        return [name for name, option in self.options.items() if not _is_taken(option.get("default"))]


def entry_name(folder: str, tasks_from: str = "main") -> str:
    """Return what the inputs of a role's entry point begin with: training_monitor for training_run's monitor.

    `tasks_from` is the name of a file in tasks/. One that ends with `inputs` takes an entry point's inputs, and does nothing.
    """
    entry = tasks_from.removesuffix("inputs").removesuffix("_") or "main"
    prefix = next((one for one in PREFIXES if folder.startswith(one)), PREFIXES[0])
    return folder if entry == "main" else f"{prefix}{entry}"


def read_role(folder: Path) -> list[Role]:
    """Return the documentation of each entry point of the role in `folder`.

    defaults/main.yml has the defaults that the specs do not repeat.
    """
    defaults = _load(folder / "defaults/main.yml")
    specs = _load(folder / "meta/argument_specs.yml").get("argument_specs", {})
    return [_read_entry(folder.name, entry, spec, defaults) for entry, spec in specs.items()]


def _read_entry(folder: str, entry: str, spec: Mapping[str, Any], defaults: Mapping[str, Any]) -> Role:
    options = {
        name: option | ({"default": defaults[name]} if name in defaults else {})
        for name, option in (spec.get("options") or {}).items()
    }
    return Role(
        entry_name(folder, entry),
        folder,
        entry,
        spec.get("short_description", ""),
        tuple(_paragraphs(spec.get("description"))),
        options,
        frozenset(WORD.findall(str([defaults.get(name) for name in options]))),
    )


def read_roles(folder: Path) -> dict[str, Role]:
    """Return the documentation of every entry point of every role in `folder`, by the name that its options begin with."""
    found = [
        role for path in sorted(folder.glob("*/meta/argument_specs.yml")) for role in read_role(path.parent.parent)
    ]
    return {role.name: role for role in found}


def known_names(roles: Iterable[Role], inventory: Mapping[str, Any]) -> frozenset[str]:
    """Return every name that may be set: options, what their defaults refer to, and what the inventory builds on."""
    roles = list(roles)
    options = {name for role in roles for name in role.options}
    return frozenset(options.union(*(role.refers for role in roles), WORD.findall(str(list(inventory.values())))))


def unknown_names(given: Iterable[str], known: frozenset[str], where: str) -> list[str]:
    """Return a sentence for each name of `given` that nothing reads; a foreign name is none of our business."""
    told = []
    for name in sorted(set(given) - known):
        near = difflib.get_close_matches(name, sorted(known), 1, ALIKE)
        if near:
            told.append(f"{name} ({where}) is not a variable of this project. Did you mean {near[0]}?")
        elif name.startswith(PREFIXES):
            told.append(f"{name} ({where}) is not a variable of this project.")
    return told


def wrong_choices(given: Mapping[str, Any], roles: Iterable[Role]) -> list[str]:
    """Return a sentence for each value that is none of its option's choices. Templates are left to Ansible."""
    told = []
    for role in roles:
        for name in sorted(set(given) & set(role.options)):
            choices = [str(choice) for choice in role.options[name].get("choices", [])]
            value = str(given[name])
            if choices and value not in choices and not _is_template(value):
                near = difflib.get_close_matches(value, choices, 1, ALIKE)
                hint = f" Did you mean {near[0]}?" if near else ""
                told.append(f"{name} is one of {', '.join(choices)}; {value!r} is not.{hint}")
    return told


def missing(roles: Iterable[Role], variables: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option of `roles` that has to be given and is not."""
    return [
        f"{name} is required: {_sentence(option)}"
        for role in roles
        for name, option in role.options.items()
        if option.get("required") and name not in variables
    ]


def explain(roles: Iterable[Role], inventory: Mapping[str, Any]) -> list[str]:
    """Return the options of `roles` as lines for a terminal of 80 columns."""
    roles = list(roles)
    options = {name for role in roles for name in role.options}
    lines = [
        "Options, each given as -e name=value (make: ARGS='-e name=value'), or in the inventory's group_vars. Nothing was run."
    ]
    taken: list[str] = []
    for role in roles:
        given = role.given()
        taken += sorted(role.refers - options)
        if not given:
            continue
        lines += ["", f"{role.short} ({role.name})"]
        for name in given:
            option = role.options[name]
            lines.append(f"  {name}  {kind(option)}")
            lines += textwrap.wrap(_sentence(option), _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
            if name in inventory:
                lines.append(f"      In this inventory: {shown(inventory[name])}")
    shared = [name for name in dict.fromkeys(taken) if name in inventory]
    if shared:
        lines += ["", "Of the inventory, for every role"]
        lines += [f"  {name}  {shown(inventory[name])}" for name in shared]
    return lines


def kind(option: Mapping[str, Any]) -> str:
    """Return what an option takes, in words: its choices or its type, and its default."""
    takes = " | ".join(str(choice) for choice in option.get("choices", [])) or str(option.get("type", "str"))
    if takes == "list":
        takes = f"list of {option.get('elements', 'values')}"
    if option.get("required"):
        return f"{takes}, required"
    return f"{takes}, default {shown(option.get('default'))}"


def shown(value: Any) -> str:
    """Return a value as a person would write it."""
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(str(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
    return (
        str(value).strip().replace("{{ playbook_dir }}/../", "").replace("{{ playbook_dir | dirname }}", "this folder")
    )


def plain(text: str) -> str:
    """Return a documentation text without Ansible's markup."""
    return _MARKUP.sub(r"\1", text).strip()


def _sentence(option: Mapping[str, Any]) -> str:
    return " ".join(_paragraphs(option.get("description")))


def _paragraphs(text: Any) -> list[str]:
    return [plain(str(one)) for one in ([text] if isinstance(text, str) else text or [])]


def _is_taken(default: Any) -> bool:
    return _is_template(default) and (bool(WORD.search(str(default))) or str(default).startswith("{{ help"))


def _is_template(value: Any) -> bool:
    return "{{" in str(value)


def _load(path: Path) -> dict[str, Any]:
    return (yaml.load(path.read_text(encoding="utf-8"), _LOADER) or {}) if path.exists() else {}  # noqa: S506  # both are safe
