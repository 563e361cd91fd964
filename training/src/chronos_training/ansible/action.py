"""The in-process twin of every module: the same `run`, with progress lines shown while it works.

An Ansible module says nothing until it ends, and costs the start of a Python interpreter. A file of three lines in
`plugins/action/` gives a module of `library/` this class.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_loader
from ansible.utils.display import Display

from chronos_training.ansible import terminal
from chronos_training.ansible.module import call
from chronos_training.ansible.progress_reporter import ProgressReporter
from chronos_training.ansible.read_ahead import Step

# Ansible reads this file before it forks for a task: boto3 is then loaded once, for every task after it.
from chronos_training.core import aws, commands

display = Display()
# Ansible's own default looks for garbage every 700 objects: made for nothing in processes that live for a second.
gc.set_threshold(50_000)
commands.typed_with(context.CLIARGS.get("inventory") or ())


class InProcessAction(ActionBase):  # type: ignore[misc]
    """Calls `run(params, check_mode=…, emit=…)` of the module of the task's name."""

    TRANSFERS_FILES = False
    # Whether it reports progress while it works, so that its heading has to come first; for plugins/callback.
    REPORTS_PROGRESS = True
    # The services that it asks first; what botocore reads for their clients is read ahead.
    SERVICES: tuple[str, ...] = ("ssm", "s3")
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


def steps(actions: Mapping[str, type[InProcessAction]]) -> list[Step]:
    """Return what reads ahead for tasks of `actions`, by their names: half a second of a launch."""
    services = dict.fromkeys(service for action in actions.values() for service in action.SERVICES)
    # Ansible's loaders are not made for threads: the files are found here.
    paths = [(name, module_loader.find_plugin(name)) for name in actions]
    return [
        *(functools.partial(aws.read_models, service) for service in services),
        *(functools.partial(_import, name, path) for name, path in paths),
    ]


def _load(name: str) -> ModuleType:
    return _import(name, module_loader.find_plugin(name))


@functools.cache
def _import(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"chronos_training_library.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
