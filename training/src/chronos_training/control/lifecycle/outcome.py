"""How a watched run ended, as an error for people and an exit code for programs."""

from __future__ import annotations

from typing import Any

from chronos_training.core.errors import TrainingError
from chronos_training.core.states import COMPLETED, FAILED, INTERRUPTED, KILLED, LOST, TIMED_OUT

# Away from those of ansible-playbook (2: a task failed, 4: a host was unreachable, 250: a fault of its own).
EXIT_CODES = {COMPLETED: 0, FAILED: 10, TIMED_OUT: 11, KILLED: 12, INTERRUPTED: 13, LOST: 14}
UNSEEN_CODE = 20


class RunEnded(TrainingError):
    """The run that was watched ended without success."""

    code = "run_unsuccessful"

    def __init__(self, state: dict[str, Any]) -> None:
        """`state` is the run's last state as a dict."""
        why = state.get("error_message") or "no reason was recorded"
        super().__init__(f"Run {state['run_id']} ended as {state['status']}: {why}")
        self.facts = {"run": state, "run_id": state["run_id"], "exit_code": EXIT_CODES[state["status"]]}


class CannotSee(TrainingError):
    """The run could not be looked at, which says nothing about it."""

    code = "run_not_visible"

    def __init__(self, error: TrainingError) -> None:
        """`error` is what prevented it."""
        super().__init__(
            error.message,
            hint=f"This says nothing about the run, which continues unwatched. {error.hint}".strip(),
        )
        self.facts = {"exit_code": UNSEEN_CODE}
