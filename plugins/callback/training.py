"""Calm output: what changed, what the long tasks say, what failed. `-v` gives Ansible's own output back."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.loader import action_loader
from ansible.utils.color import stringc

from chronos_training.ansible import terminal
from chronos_training.ansible.play_roles import actions, entry_points
from chronos_training.ansible.read_ahead import ReadAhead
from chronos_training.core.output import UNWRITABLE, Output, tell

DOCUMENTATION = r"""
name: training
type: stdout
short_description: Concise output of Chronos Training
description:
  - One line for each task that changed something; tasks of this project print their own lines while they work.
  - On a terminal, a task that watches something redraws its line; in a pipe or a file each line appears as soon as it is printed.
  - When a task of this project fails with an C(exit_code), that is the exit code of the command (see C(training_run_info)).
  - A task that fails after changing something counts as changed too, and its changes are listed.
  - When the output cannot be written (a full disk, a reader who has gone) the command ends at once, with one sentence on
    standard error and the exit code 1, or quietly with 141 if it was the reader who went. A task that changes AWS is finished
    first, and nothing is started after it. A command that ends machines (kill, verify with fix) runs to its end without output.
  - With C(-v) it is the default output of Ansible.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

OWN_PREFIX = ("training_", "volatility_")
# As shells report a program that was ended by SIGPIPE.
READER_GONE = 141
# How many of the changes before a failure are listed.
MOST_DONE = 8
# They take long, and may be interrupted anywhere: what they store counts only once it is whole.
BREAKABLE = ("training_cleanup", "training_dataset", "training_model", "training_results", "training_runtime")


class CallbackModule(Default):  # type: ignore[misc]
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "training"

    def __init__(self) -> None:
        """Set up the output, in the main process and before any task."""
        super().__init__()
        self._exit_code: int | None = None
        self._half_made: list[str] = []  # hosts, once for each task that failed after it had changed something
        self._play: Any = None
        self._task: Any = None
        self._ahead = ReadAhead()
        terminal.remember()
        # Python would collect lines for a pipe, and whoever reads it would see nothing for minutes.
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
        # Ansible waits for ever when a line of a task cannot be written: the thread that writes it dies of the error.
        self._output = Output(sys.stdout, self._lose_output)
        sys.stdout = self._output  # type: ignore[assignment]
        signal.signal(signal.SIGUSR1, self._leave)

    @property
    def _calm(self) -> bool:
        return int(self._display.verbosity) == 0

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Show the play's name."""
        self._play, self._task = play, None
        self._ahead.add(lambda: importlib.import_module("chronos_training.core.aws"))
        if not self._calm:
            return super().v2_playbook_on_play_start(play)
        self._counts = {"changed": 0, "failed": 0}
        mode = " (check mode: nothing is changed)" if play.check_mode else ""
        self._display.display(stringc(f"\n{play.get_name()}{mode}", "bright blue"))
        return None

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Show the heading of a task that will speak."""
        if self._output.error is not None and not self._ends_machines():
            self._leave()
        self._task = task
        if task.action == "given_variables":  # the tasks after it are the play's work
            self._read_ahead()
        if not self._calm:
            return super().v2_playbook_on_task_start(task, is_conditional)
        if _reports_progress(task):
            self._display.display(f"  {_name(task)}")
        return None

    def v2_runner_on_ok(self, result: Any) -> None:
        """Show a change, or what a debug task says; an unchanged task is silent."""
        if not self._calm:
            return super().v2_runner_on_ok(result)
        task, data = result.task, result.result
        if task.action in C._ACTION_DEBUG:
            for line in str(data.get("msg", "")).splitlines():
                self._display.display(f"    {line}".rstrip())
        elif data.get("changed"):
            self._counts["changed"] += 1
            if not _reports_progress(task):
                verb = "would change" if task.check_mode else "changed"
                self._display.display(stringc(f"  {verb}: {_name(task)}", C.COLOR_CHANGED))
        return None

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Say nothing."""
        if not self._calm:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Say nothing: the task's own line follows."""
        if not self._calm:
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Say nothing."""
        if not self._calm:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Show the task and its message, nothing else: the message is written for people."""
        if not ignore_errors and _reports_progress(result.task):
            self._exit_code = result.result.get("exit_code")
        if not ignore_errors and _changed(result.result):
            self._half_made.append(result.host.get_name())
        if not self._calm:
            return super().v2_runner_on_failed(result, ignore_errors)
        data = result.result
        if data.get("exception") and not data.get("msg"):
            return super().v2_runner_on_failed(result, ignore_errors)
        self._counts["failed"] += 1
        self._display.display(stringc(f"  FAILED: {_name(result.task)}", C.COLOR_ERROR))
        for text in _messages(data):
            for line in text.splitlines():
                self._display.display(stringc(f"    {line}", C.COLOR_ERROR))
        for line in _done_before(data):
            self._display.display(stringc(f"    {line}", C.COLOR_CHANGED))
        return None

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Say nothing."""
        if not self._calm:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Close with the numbers that Ansible's recap gives, and with the exit code that the failed task wants."""
        for host in self._half_made:  # Ansible counts no change of a task that failed
            stats.increment("changed", host)
        if not self._calm:
            super().v2_playbook_on_stats(stats)
        else:
            self._recap(stats)
        if self._exit_code and stats.failures:  # not when a rescue made good for it
            # Ansible knows one code for every failure. Leaving so is no error to it: it still cleans up after itself.
            raise SystemExit(self._exit_code)
        if self._output.error is not None:
            self._leave()

    def _read_ahead(self) -> None:
        """Have read, while the variables are checked, what the play's own tasks will need."""
        own = {
            name: action_loader.get(name, class_only=True)
            for name in actions(self._play)
            if name.startswith(OWN_PREFIX)
        }
        if own:
            self._ahead.add(*importlib.import_module("chronos_training.ansible.action").steps(own))

    def _lose_output(self, error: OSError) -> None:
        """Decide what becomes of the command, in whichever thread a line was to be written."""
        if self._ends_machines():
            tell(error, "Continuing without it, because ending machines matters more. The exit code will not be 0.")
        elif _must_finish(self._task):
            tell(error, f"{_name(self._task)!r} is finished first, and nothing is started after it.")
        else:
            tell(error, "This command ends here." if self._task else "Nothing was done.")
            os.kill(os.getpid(), signal.SIGUSR1)  # the main thread may be waiting for a task

    def _leave(self, *_: Any) -> None:
        """End the command; Ansible ends its tasks and cleans up."""
        raise SystemExit(READER_GONE if isinstance(self._output.error, BrokenPipeError) else UNWRITABLE)

    def _ends_machines(self) -> bool:
        """Return whether the play is there to end machines."""
        roles = entry_points(self._play) if self._play else []
        if "training_cleanup_check" in roles:
            variables = self._play.get_variable_manager().get_vars(play=self._play)
            return bool(boolean(variables.get("training_cleanup_check_fix", False), strict=False))
        return "training_kill" in roles

    def _recap(self, stats: Any) -> None:
        for host in sorted(stats.processed):
            numbers = stats.summarize(host)
            line = f"\n{host}: ok={numbers['ok']} changed={numbers['changed']} failed={numbers['failures']}"
            self._display.display(stringc(line, C.COLOR_ERROR if numbers["failures"] else C.COLOR_OK))


def _reports_progress(task: Any) -> bool:
    """Return whether the task shows progress lines while it works, so that its heading has to come first."""
    if not str(task.action).startswith(OWN_PREFIX):
        return False
    return bool(getattr(action_loader.get(task.action, class_only=True), "REPORTS_PROGRESS", False))


def _must_finish(task: Any) -> bool:
    """Return whether the task changes AWS and would leave a half-made thing."""
    action = str(task.action) if task else ""
    changes = action.startswith(("amazon.aws.", "community.aws.", *OWN_PREFIX)) and not action.endswith("_info")
    return changes and action not in BREAKABLE


def _name(task: Any) -> str:
    name = str(task.get_name())
    return name.split(" : ", 1)[-1]  # without the role's name, which the topic repeats


def _changed(data: dict[str, Any]) -> bool:
    """Return whether a failed task, or an item of it, has changed something."""
    return bool(data.get("changed")) or any(item.get("changed") for item in data.get("results", []))


def _done_before(data: dict[str, Any]) -> list[str]:
    """Return, as lines, what a failed task had done by then."""
    done = [change for one in (data, *data.get("results", [])) for change in one.get("done", [])]
    if not done:
        return []
    more = f", and {len(done) - MOST_DONE} more" if len(done) > MOST_DONE else ""
    return [f"Done before that: {', '.join(done[:MOST_DONE])}{more}. The same command can be repeated."]


def _messages(data: dict[str, Any]) -> list[str]:
    """Return the messages of a failed task, those of its items first."""
    items = [str(item["msg"]) for item in data.get("results", []) if item.get("failed") and item.get("msg")]
    errors = [str(error) for error in data.get("argument_errors", [])]
    return items or errors or [str(data.get("msg", "no message"))]
