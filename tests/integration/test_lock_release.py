"""The lock of a dead run is released by takeover; the lock of a run that may live never, and everybody is told why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chronos_training.control.lifecycle.break_stale_lock import break_stale_lock
from chronos_training.control.lifecycle.monitor import Monitor
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import wait_until_terminated
from chronos_training.core.states import COMPLETED, RUNNING

from .lock_account import BUCKET, ENV, OLD_RUN, PROJECT, REGION, RUN, LockAccount


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


def working(account: LockAccount, **fields: Any) -> str:
    """A run at work: its instance runs and has claimed it."""
    instance = account.instance(account.tags(RUN))
    account.aws.wait_for_state(instance, "running")
    account.hold(RUN, **{"status": RUNNING, "instance_id": instance, "claimed_at": "2026-01-02T03:04:05Z", **fields})
    return instance


def age_the_state(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the state look as old as that: waiting for it in a test would take as long."""
    monkeypatch.setattr("chronos_training.core.wire._age", lambda headers, last_modified: seconds)


def test_a_free_lock_stays_free(account: LockAccount) -> None:
    result = account.lock()
    assert (result["changed"], result["url"]) == (False, f"s3://{BUCKET}/{ENV}/system-state.json")


def test_the_lock_of_a_living_run_is_refused_with_the_whole_story(account: LockAccount) -> None:
    instance = working(account)
    for check_mode in (True, False):
        with pytest.raises(TrainingError) as raised:
            account.lock(check_mode=check_mode)
        said = str(raised.value)
        for part in (f"Run {RUN} is active in local: step running for", "last heartbeat", "Owner ann@laptop (pid 42)",
                     f"instance {instance} is running", f"State: s3://{BUCKET}/{ENV}/system-state.json",
                     "Nothing was changed.", "make monitor"):  # fmt: skip
            assert part in said
    assert account.store.read() is not None and account.aws.state(instance) == "running"


def test_age_alone_breaks_nothing(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = working(account)
    age_the_state(monkeypatch, 4000)
    with pytest.raises(TrainingError) as raised:
        account.lock()
    assert "STALE, last heartbeat 1 h 06 min ago" in str(raised.value)
    assert f"instance {instance} is running" in str(raised.value)
    assert "End it, keeping what it stored: make kill" in str(raised.value)
    assert account.store.read() is not None


def test_the_lock_of_a_dead_run_is_released_and_its_late_instance_ended(account: LockAccount) -> None:
    instance = working(account)
    late = account.instance(account.tags(RUN))
    other = account.instance(account.tags(OLD_RUN))
    account.terminate(instance)
    preview = account.lock(check_mode=True)
    assert preview["changed"] and late in preview["diff"]["before"]["instances"]
    assert account.store.read() is not None
    result = account.lock(run_id=RUN)
    assert (result["changed"], result["status"]) == (True, "lost")
    assert f"its instance {instance} is terminated, and {late} was never assigned the run" in result["reason"]
    assert account.store.read() is None
    assert account.aws.state(late) == "terminated" and account.aws.state(other) != "terminated"
    archived = json.loads(account.read(RUN, "system-state.json"))
    assert archived["status"] == "lost" and instance in archived["error_message"]
    assert account.lock()["changed"] is False


def test_a_run_that_ended_but_never_let_go(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = working(account, status=COMPLETED)
    with pytest.raises(
        TrainingError, match=r"has ended as completed but still holds the lock of local.*about to release its lock"
    ):
        account.lock()
    age_the_state(monkeypatch, 400)
    assert account.lock()["status"] == COMPLETED
    assert account.aws.state(instance) == "terminated" and account.store.read() is None


def test_another_runs_lock_is_not_the_one_that_was_meant(account: LockAccount) -> None:
    working(account)
    with pytest.raises(TrainingError, match=f"held by run {RUN}, not by run {OLD_RUN}. Nothing was changed"):
        account.lock(run_id=OLD_RUN)


def test_a_new_version_in_the_way_is_never_deleted(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the proof and the delete somebody else releases the lock, and another run takes it."""
    instance, late = working(account), account.instance(account.tags(RUN))
    account.terminate(instance)

    def meanwhile(*arguments: Any, **named: Any) -> None:
        wait_until_terminated(*arguments, **named)
        observed = account.store.read()
        assert observed is not None and account.store.remove(observed)
        account.hold("20260303-030303")

    monkeypatch.setattr("chronos_training.control.lifecycle.break_stale_lock.wait_until_terminated", meanwhile)
    account.lock()
    assert account.aws.state(late) == "terminated"
    observed = account.store.read()
    assert observed is not None and observed.record.run_id == "20260303-030303"


def test_a_run_that_was_claimed_after_the_proof_keeps_its_lock(
    account: LockAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listed and long silent, so it looks dead; then its late instance claims it before the takeover writes."""
    account.hold(RUN)
    with monkeypatch.context() as patched:
        age_the_state(patched, 400)
        reason = "EC2 lists no instance of it"
        observed = account.store.read()
    assert observed is not None
    account.store.claim(RUN, "i-0late")
    with pytest.raises(TrainingError, match="instance i-0late is not listed by EC2"):
        break_stale_lock(
            account.s3, BUCKET, account.store, account.ec2, PROJECT, observed, reason, account.lines.append
        )
    current = account.store.read()
    assert current is not None and current.record.instance_id == "i-0late"


def watch(account: LockAccount, lines: list[str], *, once: bool = False) -> dict[str, Any]:
    return Monitor(ENV, PROJECT, REGION, BUCKET, lines.append).follow(run_id=None, interval=0.1, once=once)


def test_monitor_says_what_ec2_says_of_a_silent_run(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = working(account, current_step="training", steps={"training": {"started_at": "2026-01-02T03:04:05Z"}})
    lines: list[str] = []
    age_the_state(monkeypatch, 400)
    state = watch(account, lines, once=True)
    assert (state["final"], state["stale"], state["instance_state"]) == (False, True, "running")
    assert "make kill" in state["next_step"]
    assert "sent no heartbeat for 6 min 40 s. End it, keeping what it stored: make kill" in lines[0]
    assert f"STALE: no heartbeat for 6 min 40 s, instance {instance} is running" in lines[1]
    account.terminate(instance)
    state = watch(account, lines)
    assert (state["final"], state["status"]) == (True, "lost")
    assert f"its instance {instance} is terminated" in state["error_message"]
    assert "the next launch reconciles it" in state["error_message"]
    assert account.store.read() is not None  # a monitor only reads


def test_monitor_that_cannot_see_does_not_say_failed(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    working(account)
    monkeypatch.setattr("chronos_training.core.cas.ConditionalObject._pause", lambda self, attempt: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lines: list[str] = []
    with pytest.raises(TrainingError, match=r"This says nothing about the run, which continues unwatched"):
        watch(account, lines, once=True)
