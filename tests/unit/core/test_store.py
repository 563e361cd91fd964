"""The lock and the life of a run, on the real code over a store in memory."""

from __future__ import annotations

import json

import pytest

from chronos_training.core.cas import ConditionalObject
from chronos_training.core.errors import TrainingError
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FINAL, STEPS, TRANSITIONS
from chronos_training.core.store import Fenced, RunActive, StateStore

from .memory_wire import MemoryObject, MemoryWire

NOW = "2026-01-01T12:00:00Z"


def record(run_id: str = "20260101-120000", **changes) -> RunRecord:
    base = {
        "env": "local",
        "run_id": run_id,
        "owner": "ann@laptop (pid 1)",
        "status": "starting",
        "created_at": NOW,
        "heartbeat_at": NOW,
        "deadline_at": NOW,
        "client_token": f"token-{run_id}",
    }
    return RunRecord(**{**base, **changes})


def store_on(stored: MemoryObject, faults=None, before=None) -> StateStore:
    return StateStore(ConditionalObject(MemoryWire(stored, faults, before), sleep=lambda s: None, rng=lambda: 0.5))


def test_only_one_acquires_and_the_other_learns_who():
    stored = MemoryObject()
    store_on(stored).acquire(record())
    with pytest.raises(RunActive, match=r"run 20260101-120000 of ann@laptop"):
        store_on(stored).acquire(record("20260101-120001"))


def test_an_acquire_whose_answer_is_lost_and_that_is_then_killed_is_still_ours():
    stored = MemoryObject()

    def kill_it(number: int) -> None:
        if number == 1:
            other = store_on(stored)
            other.request_kill(other.read(), "bob")

    got = store_on(stored, {0: "lost-after"}, kill_it).acquire(record())
    assert got.record.kill_requested_by == "bob"


def test_claim_is_once_and_for_the_given_instance():
    stored = MemoryObject()
    store = store_on(stored)
    seen = store.acquire(record())
    store.update(seen, lambda r: r.evolve(instance_id="i-1"))
    with pytest.raises(Fenced, match="is assigned to instance i-1, not to i-2"):
        store.claim("20260101-120000", "i-2")
    assert store.claim("20260101-120000", "i-1").record.status == "running"
    assert store.claim("20260101-120000", "i-1").record.instance_id == "i-1"  # a repeated claim is the same claim


def test_claim_before_the_launcher_has_entered_the_instance():
    stored = MemoryObject()
    store = store_on(stored)
    launcher = store.acquire(record())
    store.claim("20260101-120000", "i-1")
    with pytest.raises(Fenced, match="already claimed by instance i-1"):
        store.claim("20260101-120000", "i-2")
    # The launcher's own, later write keeps the claim.
    after = store.update(launcher, lambda r: r.evolve(instance_id="i-1")).record
    assert (after.status, after.instance_id) == ("running", "i-1")


def test_an_instance_of_another_run_is_fenced():
    stored = MemoryObject()
    store_on(stored).acquire(record("20260101-120001"))
    with pytest.raises(Fenced, match="now belongs to run 20260101-120001"):
        store_on(stored).claim("20260101-120000", "i-1")


def test_a_heartbeat_after_a_takeover_is_fenced():
    stored = MemoryObject()
    store = store_on(stored)
    store.acquire(record())
    mine = store.claim("20260101-120000", "i-1")
    store.remove(mine)
    with pytest.raises(Fenced, match="no longer has a state"):
        store.update(mine, lambda r: r.evolve(heartbeat_at=NOW))


def test_remove_takes_only_the_version_seen():
    stored = MemoryObject()
    store = store_on(stored)
    old = store.acquire(record())
    store.request_kill(old, "bob")
    with pytest.raises(RunActive):
        store.remove(old)
    assert stored.body is not None


def test_a_killed_run_never_ends_as_completed():
    stored = MemoryObject()
    store = store_on(stored)
    store.acquire(record())
    mine = store.claim("20260101-120000", "i-1")
    store.request_kill(mine, "bob")
    final = store.finish(mine, "completed", None).record
    assert (final.status, final.error_message) == ("killed", "Killed at the request of bob.")


@pytest.mark.parametrize(("status", "kept"), [("failed", "training_failed"), ("timed_out", None), ("completed", None)])
def test_only_a_failed_run_keeps_the_code_of_its_error(status: str, kept: str | None):
    store = store_on(MemoryObject())
    store.acquire(record())
    mine = store.claim("20260101-120000", "i-1")
    final = store.finish(mine, status, "the loss is no number", error_code="training_failed").record
    assert (final.status, final.error_code) == (status, kept)


def test_a_failed_run_that_was_asked_to_stop_is_killed_and_has_no_code():
    store = store_on(MemoryObject())
    store.acquire(record())
    mine = store.claim("20260101-120000", "i-1")
    store.request_kill(mine, "bob")
    final = store.finish(mine, "failed", "the connection broke", error_code="training_failed").record
    assert (final.status, final.error_code) == ("killed", None)


def test_a_state_file_from_before_there_were_codes_is_read():
    old = json.loads(record().to_json())
    del old["error_code"]
    assert RunRecord.from_json(json.dumps(old).encode(), "s3://b/k") == record()


def test_steps_do_not_go_back():
    stepped = record().evolve(status="running", current_step="training")
    with pytest.raises(ValueError, match="never goes back"):
        stepped.evolve(current_step="data_sync")


def test_every_write_has_its_own_bytes():
    one = record()
    assert one.evolve().to_json() != one.evolve().to_json()


def test_the_table_lets_every_run_end_and_none_return():
    assert all(not TRANSITIONS[status] for status in FINAL)
    for status, allowed in TRANSITIONS.items():
        assert status in FINAL or allowed & FINAL
    assert STEPS == ("initialization", "data_sync", "training", "results_sync", "cleanup")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"schema_version": 99}', b'{"schema_version": 1, "env": "x"}', b"\xff"])
def test_a_foreign_state_file_is_named_and_kept(body):
    stored = MemoryObject()
    stored.body = body
    with pytest.raises(TrainingError, match=r"s3://bucket/key is not a state file"):
        store_on(stored).read()
    assert stored.body == body
