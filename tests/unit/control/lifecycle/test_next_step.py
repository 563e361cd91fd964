"""Each situation of a held lock has its own next command, and only one that is safe in it."""

from __future__ import annotations

import pytest

from chronos_training.control.lifecycle.lock_status import HEAD_NODE_GONE, NOT_LISTED, UNSEEN, next_step
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, RUNNING, STARTING
from chronos_training.core.store import Observed

T = "2026-01-02T03:04:05Z"
MONITOR, KILL = "make monitor", "make kill"
FIX = "make verify ARGS='-e training_cleanup_check_fix=true'"


def observed(status: str, age: float, instance_id: str | None = "i-1", env: str = "local") -> Observed:
    record = RunRecord(env, "20260102-030405", "ann@laptop", status, T, T, T, "token", instance_id=instance_id)
    return Observed(record, "etag", age)


CASES = [
    ("alive", RUNNING, 10, "running", "Watch it", MONITOR),
    ("stale but running", RUNNING, 400, "running", "sent no heartbeat for 6 min 40 s", KILL),
    ("stale, not visible", RUNNING, 400, UNSEEN, "says nothing about the run", MONITOR),
    ("dead", RUNNING, 400, "terminated", "The run is dead; the next launch reconciles it", FIX),
    ("dead a moment ago", RUNNING, 5, "terminated", "The run is dead", FIX),
    ("of several the head node dead", RUNNING, 5, HEAD_NODE_GONE, "Its head node is gone, and its workers end", KILL),
    (
        "going",
        RUNNING,
        40,
        "shutting-down",
        "takes a GPU instance 5 to 8 minutes; a launch waits for that and reconciles",
        FIX,
    ),
    ("final, going", COMPLETED, 5, "shutting-down", "EC2 is ending its instance", FIX),
    ("being stopped by hand", RUNNING, 40, "stopping", "is stopping", KILL),
    ("stopped by hand", RUNNING, 400, "stopped", "is stopped and does not work", KILL),
    ("launch under way", STARTING, 20, None, "certain in 4 min 40 s", MONITOR),
    ("launch cut short", STARTING, 400, None, "The run is dead", FIX),
    ("not listed yet", RUNNING, 20, NOT_LISTED, "certain in 4 min 40 s", MONITOR),
    ("long not listed", RUNNING, 400, NOT_LISTED, "The run is dead", FIX),
    ("final, letting go", COMPLETED, 5, "running", "about to release its lock", MONITOR),
    ("final, machine gone", COMPLETED, 5, "terminated", "the next launch reconciles it", FIX),
    ("final, never let go", COMPLETED, 400, "running", "never released its lock", FIX),
]


@pytest.mark.parametrize(
    ("status", "age", "state", "why", "command"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_next_command(status: str, age: float, state: str | None, why: str, command: str) -> None:
    said = next_step(observed(status, age), state)
    assert why in said
    first = said[said.index("make ") :]
    assert first.startswith(command)


def test_the_command_names_the_inventory_of_the_environment() -> None:
    assert "make kill ENV=prod" in next_step(observed(RUNNING, 400, env="prod"), "running")
