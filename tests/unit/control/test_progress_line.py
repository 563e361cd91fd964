"""What the monitor shows of a training: steps of a Chronos model, models of AutoGluon."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.control.monitor import progress_line
from chronos_training.core.record import RunRecord
from chronos_training.core.states import RUNNING
from chronos_training.core.store import Observed

T = "2026-01-02T03:04:05Z"


def line(progress: dict[str, Any]) -> str:
    record = RunRecord(
        "local", "20260102-030405", "ann@laptop", RUNNING, T, T, T, "token", instance_id="i-1",
        current_step="training", steps={"training": {"started_at": T}}, progress=progress,
    )  # fmt: skip
    return progress_line(Observed(record, "etag", 1.0))


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
    assert line({"phase": "training", **progress}).endswith(says)
