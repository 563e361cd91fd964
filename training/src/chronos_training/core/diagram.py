"""The state machine as Markdown with Mermaid diagrams, drawn from `states`: `python -m chronos_training.core.diagram`.

docs/state-machine.md is this program's output; a test compares the two.
"""

from __future__ import annotations

from .output import run
from .states import COMPLETED, FAILED, FINAL, INTERRUPTED, KILLED, LOST, STARTING, STEPS, TIMED_OUT, TRANSITIONS

MEANING = {
    "starting": "The lock is taken and the intent is stored; the instance has not claimed the run yet.",
    "running": "The instance has claimed the run and works.",
    "stopping": "Somebody asked the run to stop; it is storing what it has.",
    COMPLETED: "Every result was read back from S3, and `_SUCCESS` is there.",
    FAILED: "Something went wrong; `error_message` says what.",
    TIMED_OUT: "The run reached its limit of time.",
    KILLED: "The run was ended on request.",
    INTERRUPTED: "AWS reclaimed the instance or told it to shut down.",
    LOST: "The instance is proved dead and had not ended the run; the next command reconciled it.",
}

_HEAD = """\
# The state machine

<!-- Generated: python -m chronos_training.core.diagram > docs/state-machine.md -->

The state file `{env}/system-state.json` holds one run. Each change of it is one compare-and-swap, checked against the
table in `training/src/chronos_training/core/states.py`, from which this page is drawn.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, "## Status\n", _status_diagram(), _status_table(), "## Steps\n", _steps()])


def _status_diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {STARTING}: lock taken"]
    for status in _ordered(frozenset(TRANSITIONS)):
        allowed = TRANSITIONS[status]
        lines += [f"    {status} --> {following}" for following in _ordered(allowed)]
    lines += [f"    {status} --> [*]: lock released" for status in _ordered(FINAL)]
    return "\n".join([*lines, "```", ""])


def _status_table() -> str:
    lines = ["| status | final | may become | meaning |", "|---|---|---|---|"]
    for status in _ordered(frozenset(TRANSITIONS)):
        allowed = TRANSITIONS[status]
        following = ", ".join(_ordered(allowed)) or "nothing: a final status stays"
        lines.append(f"| {status} | {'yes' if status in FINAL else 'no'} | {following} | {MEANING[status]} |")
    return "\n".join([*lines, ""])


def _steps() -> str:
    lines = ["Steps are taken in this order. A step never goes back; a run that ends early goes to the last one.", ""]
    lines += ["```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {STEPS[0]}"]
    lines += [f"    {STEPS[n]} --> {STEPS[n + 1]}" for n in range(len(STEPS) - 1)]
    lines += [f"    {step} --> {STEPS[-1]}: ends early" for step in STEPS[:-2]]
    return "\n".join([*lines, f"    {STEPS[-1]} --> [*]", "```", ""])


def _ordered(statuses: frozenset[str]) -> list[str]:
    return [status for status in MEANING if status in statuses]  # a set has no order of its own


if __name__ == "__main__":
    raise SystemExit(run(lambda: print(page(), end="")))
