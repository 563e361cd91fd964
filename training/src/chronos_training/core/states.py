"""Statuses, steps and the one table of allowed transitions. Pure data: code, JSON and docs use these strings."""

from __future__ import annotations

STARTING, RUNNING, STOPPING = "starting", "running", "stopping"
COMPLETED, FAILED, TIMED_OUT, KILLED = "completed", "failed", "timed_out", "killed"
INTERRUPTED, LOST = "interrupted", "lost"

FINAL = frozenset({COMPLETED, FAILED, TIMED_OUT, KILLED, INTERRUPTED, LOST})
STEPS = ("initialization", "data_sync", "training", "results_sync", "cleanup")

# A run completes only from `running`: one that was asked to stop has not done what it was launched for.
TRANSITIONS: dict[str, frozenset[str]] = {
    STARTING: frozenset({RUNNING, STOPPING}) | (FINAL - {COMPLETED}),
    RUNNING: frozenset({STOPPING}) | FINAL,
    STOPPING: FINAL - {COMPLETED},
    **{status: frozenset() for status in FINAL},
}


def check_transition(old: str, new: str) -> None:
    """Raise ValueError unless a run may go from status `old` to `new` (staying is allowed)."""
    if old != new and new not in TRANSITIONS[old]:
        raise ValueError(f"a run cannot go from {old} to {new}")


def check_step(old: str | None, new: str) -> None:
    """Raise ValueError when step `new` would go back behind `old`."""
    if old is not None and STEPS.index(new) < STEPS.index(old):
        raise ValueError(f"step {new} is before {old}: a step never goes back")
