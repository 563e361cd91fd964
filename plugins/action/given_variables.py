"""Checks the variables given with -e and in the inventory against what the roles document; shows those of the play."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from ansible import context
from ansible._internal._datatag._tags import Origin
from ansible.errors import AnsibleActionFail, AnsibleUndefinedVariable
from ansible.inventory.group import Group
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.plugins import get_vars_from_path

from chronos_training.ansible.play_roles import entry_points
from chronos_training.control.options import inputs
from chronos_training.control.options import values as values_module
from chronos_training.core import commands

display = Display()
commands.typed_with(context.CLIARGS.get("inventory") or ())
# The keys of an option that say which values are right.
CHECKED = ("type", "elements", "choices", "options")


class ActionModule(ActionBase):  # type: ignore[misc]
    """An action, because only inside Ansible is it known what came from -e and which roles the play has."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """See ActionBase. Returns `help`: whether the options were shown, and the play has nothing else to do."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, params = self.validate_argument_spec(argument_spec={"help": {"type": "bool", "required": True}})
        every = inputs.read_roles(Path(task_vars["role_path"]).parent)
        play = [every[name] for name in dict.fromkeys(entry_points(self._task._parent._play)) if name in every]
        given = load_extra_vars(self._loader)
        inventory = self._inventory(task_vars)
        if params["help"]:
            for line in inputs.explain(
                play, {name: self._templar.template(value) for name, value in inventory.items()}
            ):
                display.display(f"  {line}".rstrip())
            return {**result, "changed": False, "help": True}
        known = inputs.known_names(every.values(), inventory)
        told = inputs.unknown_names(given, known, "given with -e")
        told += inputs.unknown_names(inventory, known, "in the inventory")
        told += inputs.wrong_choices(given, every.values()) or _wrong_types(given, every.values())
        told += inputs.missing(play, task_vars)
        told += self._wrong_values(play, {**inventory, **given})
        if told:
            told = list(dict.fromkeys(told))
            raise AnsibleActionFail("\n".join([*told, f"Nothing was done. {_what_can_be_set()}"]))
        return {**result, "changed": False, "help": False}

    def _wrong_values(self, play: list[inputs.Role], written: dict[str, Any]) -> list[str]:
        """Return a sentence for each value of the play's options, wherever it comes from, that AWS would refuse."""
        told, options = [], {name: option for role in play for name, option in role.options.items()}
        values = {}
        for name in options:
            with contextlib.suppress(AnsibleUndefinedVariable):  # a role of the play will set it
                values[name] = self._templar.template(trust_as_template(f"{{{{ {name} }}}}"))
        for name in sorted({*written} & {*options, *_shared(options)}):
            told += _misread(name, written[name])
        validated, wrong = _of_types(values, options)
        given = values_module.Given(play, validated, written)
        wrong = [*values_module.no_text(given, values), *wrong]
        return [*told, *(wrong or values_module.wrong_values(given))]

    def _inventory(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the inventory sets for all hosts, as it is written."""
        folder = task_vars.get("inventory_dir")
        return get_vars_from_path(self._loader, folder, [Group("all")], "all") if folder else {}


def _what_can_be_set() -> str:
    """Return how to see the options of the first playbook of this command."""
    given = context.CLIARGS.get("args") or ()
    name = Path(given[0]).stem if given else ""
    if name not in commands.TARGETS:  # somebody's own
        return "Add -e help=true to see what can be set."
    return f"What can be set: {commands.playbook(None, name, help=True)}"


def _shared(options: dict[str, Any]) -> set[str]:
    """Return the inventory's variables that the options' defaults take."""
    return {word for option in options.values() for word in inputs.WORD.findall(str(option.get("default")))}


def _misread(name: str, value: Any) -> list[str]:
    """Return a sentence for each scalar that YAML reads as something else than what is written: 0100 as 64, yes as true."""
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in _misread(f"{name}.{key}", one)]
    origin = None if isinstance(value, (str, list)) else Origin.get_tag(value)
    if origin is None or origin.path is None or origin.line_num is None:
        return []
    line = Path(origin.path).read_text(encoding="utf-8").splitlines()[origin.line_num - 1]
    text = re.split(r"\s+#|[,}\]]", line[(origin.col_num or 1) - 1 :], maxsplit=1)[0].strip()
    if text == str(value) or isinstance(value, bool) or "{{" in text:
        return []
    return [f"{name} is {text}, which YAML reads as {value}: write what you mean, in quotes if it is text."]


def _of_types(values: dict[str, Any], options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the types that their options take, and a sentence for each that cannot be."""
    spec = {name: {key: options[name][key] for key in CHECKED if key in options[name]} for name in values}
    result = ArgumentSpecValidator(spec).validate(values)
    return result.validated_parameters, [f"{message}." for message in result.error_messages]


def _wrong_types(given: dict[str, Any], roles: Any) -> list[str]:
    """Return a sentence for each value that cannot be read as its option's type."""
    told = []
    for role in roles:
        values = {name: value for name, value in given.items() if name in role.options and "{{" not in str(value)}
        told += _of_types(values, dict(role.options))[1]
    return told
