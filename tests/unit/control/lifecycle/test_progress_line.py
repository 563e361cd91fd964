"""What the monitor shows of one look: steps of a Chronos model, models of AutoGluon, cost, deadline, heartbeat, doubt."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.control.lifecycle.progress import Doubt, ended_steps, progress_snapshot
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, RUNNING, STARTING, STOPPING
from chronos_training.core.store import Observed

T = "2026-01-02T03:00:00Z"
STEPS = {
    "initialization": {"started_at": "2026-01-02T03:00:20Z", "ended_at": "2026-01-02T03:00:26Z"},
    "training": {"started_at": "2026-01-02T03:00:26Z"},
}


def seen(progress: dict[str, Any] | None = None, *, age: float = 3.0, **fields: Any) -> Observed:
    """A run whose last heartbeat was 10 minutes after its launch, and `age` seconds ago."""
    values: dict[str, Any] = {"status": RUNNING, "current_step": "training", "steps": STEPS} | fields
    record = RunRecord(
        env="local", run_id="20260102-030000", owner="ann@laptop", created_at=T, heartbeat_at="2026-01-02T03:10:00Z",
        deadline_at="2026-01-02T15:15:00Z", client_token="token", instance_id="i-1", progress=progress or {}, **values,
    )  # fmt: skip
    return Observed(record, "etag", age)


@pytest.mark.parametrize(
    ("progress", "says"),
    [
        ({"step": 5, "total_steps": 20, "loss": 0.5, "samples_per_second": 31.0, "eta_seconds": 15.0},
         "[#####...............] 5/20  loss 0.5000  31 samples/s  15 s left"),
        ({"step": 1, "total_steps": 4, "fitting": "DeepAR", "best_score": 0.08123, "best_model": "Theta", "eta_seconds": 30.0},
         "[#####...............] 1/4  fitting DeepAR  best 0.08123 by Theta  30 s left"),
        ({"step": 0, "total_steps": 4, "fitting": "Naive", "message": "fitting Naive (0 of 4 fitted), 0:01 used"},
         "fitting Naive (0 of 4 fitted), 0:01 used"),
    ],
)  # fmt: skip
def test_the_line_of_a_training(progress: dict[str, Any], says: str) -> None:
    line = progress_snapshot(seen({"phase": "training", **progress}), 6.0).line
    assert line == (
        f"20260102-030000  3/5 training for 9 min 37 s  {says}  $1.00 so far  deadline in 12 h 04 min  heartbeat 3 s ago"
    )


@pytest.mark.parametrize(
    ("observed", "says"),
    [
        (seen(status=STARTING, current_step=None, steps={}), "starting: waiting for the instance for 10 min 03 s"),
        (seen(status=STOPPING, kill_requested_at=T), "3/5 training (stopping) for"),
        (seen(status=COMPLETED), "3/5 training (completed) for"),
        (seen(age=50_000.0), "deadline passed 1 h 48 min ago"),
    ],
)
def test_other_moments_of_a_run(observed: Observed, says: str) -> None:
    assert says in progress_snapshot(observed, 6.0).line


def test_a_price_that_nobody_knows_is_no_zero() -> None:
    assert "cost unknown" in progress_snapshot(seen(), None).line
    assert "$0.00 so far" in progress_snapshot(seen(), 0.0).line


def test_what_time_alone_changes_is_no_change() -> None:
    progress = {"phase": "training", "step": 5, "total_steps": 20, "loss": 0.5}
    assert (
        progress_snapshot(seen(progress, age=3.0), 6.0).change_key
        == progress_snapshot(seen(progress, age=40.0), 6.0).change_key
    )
    assert (
        progress_snapshot(seen(progress), 6.0).change_key
        != progress_snapshot(seen({**progress, "step": 6}), 6.0).change_key
    )
    silent = progress_snapshot(seen(progress, age=400.0), 6.0, Doubt("STALE", "instance i-1 is running", "running"))
    assert silent.change_key != progress_snapshot(seen(progress), 6.0).change_key
    assert silent.line.endswith("STALE: no heartbeat for 6 min 40 s, instance i-1 is running")


def test_each_step_that_ended_has_a_line() -> None:
    assert ended_steps(seen().record) == {"initialization": "20260102-030000  1/5 initialization took 6 s"}
