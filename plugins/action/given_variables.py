"""Checks the variables given with -e and in the inventory against what the roles document; shows those of the play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.inventory.group import Group
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.plugins import get_vars_from_path

from chronos_training.control import inputs
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
        play = [every[name] for name in task_vars["ansible_play_role_names"] if name in every]
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
        if told:
            raise AnsibleActionFail("\n".join([*told, f"Nothing was done. {_what_can_be_set()}"]))
        return {**result, "changed": False, "help": False}

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


def _wrong_types(given: dict[str, Any], roles: Any) -> list[str]:
    """Return a sentence for each value that cannot be read as its option's type."""
    told = []
    for role in roles:
        values = {name: value for name, value in given.items() if name in role.options and "{{" not in str(value)}
        spec = {name: {key: role.options[name][key] for key in CHECKED if key in role.options[name]} for name in values}
        told += [f"{message}." for message in ArgumentSpecValidator(spec).validate(values).error_messages]
    return told
