"""What a worker reads in the state; it is pure."""

from __future__ import annotations

import dataclasses

import pytest

from chronos_training.agent.worker import reason_to_end
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, FAILED, KILLED
from chronos_training.core.store import STALE_SECONDS, Observed

RECORD = RunRecord(
    env="dev",
    run_id="20260101-120000",
    owner="ann@laptop (pid 1)",
    status="running",
    created_at="2026-01-01T12:00:00Z",
    heartbeat_at="2026-01-01T12:00:00Z",
    deadline_at="2026-01-01T13:00:00Z",
    client_token="t",
    instance_id="i-leader",
    members=["i-1", "i-2"],
    claimed_at="2026-01-01T12:01:00Z",
    current_step="training",
)


def reason(age: float = 10.0, **changes: object) -> str | None:
    found = reason_to_end(Observed(dataclasses.replace(RECORD, **changes), "e", age), "20260101-120000", "i-2")
    return None if found is None else found.status


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"age": STALE_SECONDS - 1},
        # Not named yet: the launch has not come to it.
        {"members": [], "instance_id": None, "claimed_at": None, "current_step": None, "status": "starting"},
        # Not claimed yet: the head node may still boot, and has its own time for that.
        {"age": STALE_SECONDS + 1, "claimed_at": None, "current_step": None},
        # The head node stops all of them together.
        {"status": "stopping", "kill_requested_at": "2026-01-01T12:30:00Z"},
    ],
)
def test_it_works_as_long_as_its_leader_does(changes: dict[str, object]) -> None:
    assert reason(**changes) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"run_id": "20260101-130000"}, KILLED),
        ({"members": ["i-1"]}, KILLED),
        ({"current_step": "results_sync"}, COMPLETED),
        ({"current_step": "cleanup"}, COMPLETED),
        ({"status": "failed"}, COMPLETED),
        ({"age": STALE_SECONDS + 1}, FAILED),
    ],
)
def test_it_ends_when_the_run_does(changes: dict[str, object], status: str) -> None:
    assert reason(**changes) == status  # type: ignore[arg-type]


def test_a_run_without_a_state_is_over() -> None:
    ended = reason_to_end(None, "20260101-120000", "i-2")
    assert ended is not None and ended.status == KILLED
