"""The in-process twin of every module: the same `run`, with progress lines shown while it works.

An Ansible module says nothing until it ends, and costs the start of a Python interpreter. A file of three lines in
`plugins/action/` gives a module of `library/` this class.
"""

from __future__ import annotations

import gc
import importlib.util
from types import ModuleType
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_loader
from ansible.utils.display import Display

from chronos_training.ansible import terminal
from chronos_training.ansible.module import call
from chronos_training.ansible.progress_reporter import ProgressReporter

# Ansible reads this file before it forks for a task: boto3 is then loaded once, for every task after it.
from chronos_training.core import aws, commands

display = Display()
# Ansible's own default looks for garbage every 700 objects: made for nothing in processes that live for a second.
gc.set_threshold(50_000)
commands.typed_with(context.CLIARGS.get("inventory") or ())


def keep_for_tasks(*services: str) -> None:
    """Read what clients of `services` need, and keep all that is loaded by now, for the tasks that Ansible forks for.

    Without this each of them reads it again, and walks through all that is loaded to look for garbage, as Ansible itself
    does at its exit: more than half a second of a launch. Call it where Ansible reads a plugin, before it forks.
    """
    aws.read_models(*services)
    gc.freeze()


gc.freeze()


class InProcessAction(ActionBase):  # type: ignore[misc]
    """Calls `run(params, check_mode=…, emit=…)` of the module of the task's name."""

    TRANSFERS_FILES = False
    # Whether it reports progress while it works, so that its heading has to come first; for plugins/callback.
    REPORTS_PROGRESS = True
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """See ActionBase. A TrainingError becomes the task's failure, in its own words."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        module = _load(self._task.action)
        _, params = self.validate_argument_spec(argument_spec=module.ARGUMENT_SPEC)
        emit = ProgressReporter(_write, terminal.width)
        result |= call(module.run, params, check_mode=self._task.check_mode, emit=emit)
        return {**result, "messages": emit.messages}


def _write(text: str, *, stays: bool = True, newline: bool = True) -> None:
    # What is drawn over is nothing for the log file of Ansible.
    display.display(text, screen_only=not stays, newline=newline)


class QuietAction(InProcessAction):
    """The same for a module that reports nothing while it works."""

    REPORTS_PROGRESS = False


def _load(name: str) -> ModuleType:
    path = module_loader.find_plugin(name)
    spec = importlib.util.spec_from_file_location(f"chronos_training_library.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
