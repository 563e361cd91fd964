"""The watcher's decision, case by case; it is pure."""

from __future__ import annotations

import pytest

from chronos_training.agent.checkpoint_headroom import headroom_seconds
from chronos_training.agent.ending import END_SECONDS
from chronos_training.agent.watcher import CLAIM_PATIENCE_SECONDS, MachineSnapshot, decide

FINE = {
    "elapsed": 100.0,
    "pipeline_alive": True,
    "heartbeat_age": 5.0,
    "ending_age": None,
    "restarted": False,
    "headroom": 300.0,
    "state_seen": True,
    "state_ours": True,
    "kill_age": None,
    "spot_notice": False,
}
UNSEEN = {"state_seen": False, "state_ours": False}


@pytest.mark.parametrize(
    ("change", "action", "status"),
    [
        ({}, "none", ""),
        ({"elapsed": 3600.0}, "end", "timed_out"),
        ({"elapsed": 3600.0, **UNSEEN}, "end", "timed_out"),
        ({"elapsed": 3300.0}, "ask", "timed_out"),
        ({"elapsed": 3270.0}, "none", ""),
        # A member is stopped by its leader, in time; its own deadline is the last resort.
        ({"elapsed": 3300.0, "worker": True}, "none", ""),
        ({"elapsed": 3600.0, "worker": True}, "end", "timed_out"),
        ({"pipeline_alive": False, "worker": True}, "end", "failed"),
        ({"elapsed": 3270.0, "headroom": 400.0}, "ask", "timed_out"),
        ({"pipeline_alive": False}, "end", "failed"),
        ({"pipeline_alive": False, **UNSEEN}, "end", "failed"),
        # Its beats do not need S3: one that is missing is a process that stands still.
        ({"heartbeat_age": 301.0}, "end", "failed"),
        ({"heartbeat_age": 301.0, **UNSEEN}, "end", "failed"),
        # Not begun yet: it waits for metadata and claim.
        ({"heartbeat_age": None}, "none", ""),
        ({"heartbeat_age": None, "elapsed": CLAIM_PATIENCE_SECONDS + 1}, "end", "failed"),
        ({"state_ours": False}, "leave", "killed"),
        ({"kill_age": 10.0}, "none", ""),
        ({"kill_age": 121.0}, "end", "killed"),
        ({"spot_notice": True}, "ask", "interrupted"),
        ({"restarted": True, "pipeline_alive": False, "elapsed": 1.0}, "end", "interrupted"),
        # The pipeline is storing results while the limit passes: it is left to it, for as long as that may take.
        ({"elapsed": 3601.0, "ending_age": 60.0}, "none", ""),
        ({"elapsed": 3601.0, "ending_age": 60.0, "pipeline_alive": False}, "end", "timed_out"),
        ({"ending_age": 2 * END_SECONDS + 1}, "off", ""),
        ({"ending_age": 2 * END_SECONDS + 1, "pipeline_alive": False, **UNSEEN}, "off", ""),
    ],
)
def test_decision(change, action, status):
    decision = decide(MachineSnapshot(**{**FINE, **change}), deadline=3600.0, interval=20.0)
    assert (decision.action, decision.status) == (action, status)
    assert action == "none" or decision.reason


def test_a_short_run_is_asked_before_its_deadline(tmp_path):
    fine = {**FINE, "headroom": headroom_seconds(tmp_path, 60.0)}
    asked = [
        t for t in range(61) if decide(MachineSnapshot(**{**fine, "elapsed": float(t)}), 60.0, 20.0).action == "ask"
    ]
    assert asked[0] == 34
    assert decide(MachineSnapshot(**{**fine, "elapsed": 60.0}), 60.0, 20.0).action == "end"
