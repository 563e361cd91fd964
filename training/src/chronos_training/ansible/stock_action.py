"""Runs the AWS collections' modules in Ansible's own process, where boto3 is loaded already.

Ansible packs a module with everything that it imports, starts a Python and compiles it all again: two thirds of what a
task costs that then asks AWS one question. Ansible forks for each task anyway, so what a module leaves behind in the
process ends with its task. Every other module, and whatever is not plainly on this machine with this Python, takes
Ansible's own way.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from ansible.module_utils import basic
from ansible.module_utils.common import json as wire
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash
from ansible.vars.clean import remove_internal_keys

from chronos_training.ansible import changes

COLLECTIONS = ("amazon.aws.", "community.aws.")
# Ansible's name for how it and the modules of collections write to each other.
PROFILE = "legacy"


class StockAction(ActionBase):  # type: ignore[misc]
    """Stands for Ansible's action `normal`, with a shorter way for the modules of `COLLECTIONS`."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """See ActionBase."""
        name = str(self._task.resolved_action or self._task.action)
        if not name.startswith(COLLECTIONS) or not self._is_here(task_vars):
            return self._as_ever(task_vars)
        result: dict[str, Any] = super().run(tmp, task_vars)
        return merge_hash(result, self._call(name, task_vars))  # type: ignore[no-any-return]

    def _call(self, name: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the module `name` says, as Ansible reads it from a process."""
        params = dict(self._task.args)
        self._update_module_args(name, params, task_vars)
        namespace, collection, module = name.split(".")
        main = importlib.import_module(f"ansible_collections.{namespace}.{collection}.plugins.modules.{module}").main
        # A module says its result and ends the process.
        with (
            changes.recorded() as done,
            _arguments(params),
            contextlib.redirect_stdout(io.StringIO()) as said,
            contextlib.suppress(SystemExit),
        ):
            main()
        result: dict[str, Any] = self._parse_returned_data({"stdout": said.getvalue()}, PROFILE)
        if result.get("failed") and done:
            result |= {"changed": True, "done": done}
        remove_internal_keys(result)
        return result

    def _as_ever(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.normal",
            task=self._task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: dict[str, Any] = action.run(task_vars=task_vars)
        return result

    def _is_here(self, task_vars: dict[str, Any]) -> bool:
        """Return whether the module would run on this machine, as this user, with this Python and this environment."""
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter", ""))
        plain = not self._task.become and not self._task.async_val and not any(self._task.environment or ())
        return plain and self._connection.transport == "local" and interpreter == sys.executable


@contextlib.contextmanager
def _arguments(params: dict[str, Any]) -> Iterator[None]:
    """Have the next AnsibleModule take `params`. Where Ansible's wrapper leaves them, too."""
    encoder = wire.get_module_encoder(PROFILE, wire.Direction.CONTROLLER_TO_MODULE)
    before = basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": params}, cls=encoder).encode()
    basic._ANSIBLE_PROFILE = PROFILE
    try:
        yield
    finally:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
