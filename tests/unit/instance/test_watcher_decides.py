"""The watcher's decision, case by case; it is pure."""

from __future__ import annotations

import pytest

from chronos_training.instance.watcher import Sight, decide

FINE = {
    "elapsed": 100.0,
    "pipeline_alive": True,
    "heartbeat_age": 5.0,
    "state_seen": True,
    "state_ours": True,
    "kill_age": None,
    "spot_notice": False,
}


@pytest.mark.parametrize(
    ("change", "action", "status"),
    [
        ({}, "none", ""),
        ({"elapsed": 3600.0}, "end", "timed_out"),
        ({"elapsed": 3600.0, "state_seen": False, "state_ours": False}, "end", "timed_out"),
        ({"elapsed": 3300.0}, "ask", "timed_out"),
        ({"pipeline_alive": False}, "end", "failed"),
        ({"heartbeat_age": 301.0}, "end", "failed"),
        # S3 is unreachable: the pipeline cannot beat, and that is no reason to end it.
        ({"heartbeat_age": 301.0, "state_seen": False, "state_ours": False}, "none", ""),
        ({"state_ours": False}, "leave", "killed"),
        ({"kill_age": 10.0}, "none", ""),
        ({"kill_age": 121.0}, "end", "killed"),
        ({"spot_notice": True}, "ask", "interrupted"),
    ],
)
def test_decision(change, action, status):
    decision = decide(Sight(**{**FINE, **change}), deadline=3600.0, interval=20.0)
    assert (decision.action, decision.status) == (action, status)
    assert action == "none" or decision.reason


def test_a_short_run_is_asked_before_its_deadline():
    asked = [t for t in range(61) if decide(Sight(**{**FINE, "elapsed": float(t)}), 60.0, 20.0).action == "ask"]
    assert asked[0] == 34
    assert decide(Sight(**{**FINE, "elapsed": 60.0}), 60.0, 20.0).action == "end"
