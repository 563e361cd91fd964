"""The monitor against a real server: what it shows, how it ends, and that an observer's trouble is never the run's."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chronos_training.control.lifecycle import monitor
from chronos_training.control.lifecycle.monitor import Monitor
from chronos_training.control.lifecycle.outcome import UNSEEN_CODE, CannotSee, RunEnded
from chronos_training.core import aws as core_aws
from chronos_training.core.errors import TrainingError
from chronos_training.core.record import RunRecord
from chronos_training.core.run_spec import InstanceSpec
from chronos_training.core.states import COMPLETED, FAILED, INTERRUPTED, KILLED, LOST, RUNNING, TIMED_OUT
from local_aws.testing import wait_for
from tests.policies import Deployment, people_policy
from tests.run_specs import run_spec

from .lock_account import BUCKET, ENV, PROJECT, REGION, RUN, LockAccount, load_module

TRAINING = {"current_step": "training", "steps": {"training": {"started_at": "2026-01-02T03:04:05Z"}}}


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


def archive(account: LockAccount, status: str, error: str | None = None) -> None:
    """A past run, as its archive shows it."""
    record = RunRecord(
        ENV, RUN, "ann@laptop", status, "2026-01-02T03:04:05Z", "2026-01-02T03:14:05Z", "2026-01-02T15:04:05Z", "t",
        error_message=error,
    )  # fmt: skip
    account.put_json(RUN, "system-state.json", record.to_json())


def module(account: LockAccount, **params: Any) -> dict[str, Any]:
    """Run module training_run_info; its lines are in account.lines."""
    defaults = {"env": ENV, "project": PROJECT, "region": REGION, "run_id": None, "interval": 0.1, "follow": "state"}
    account.lines.clear()
    result: dict[str, Any] = load_module("training_run_info").run(
        defaults | params, check_mode=False, emit=account.lines.append
    )
    return result


def watching(account: LockAccount) -> Monitor:
    return Monitor(ENV, PROJECT, REGION, BUCKET, account.lines.append)


def become(account: LockAccount, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """From now on the monitor has the keys of somebody with the policy `kind`; the account's own clients stay root."""
    keys = account.aws.new_user(kind, policy=people_policy(kind, Deployment(BUCKET, ENV, region=REGION)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setattr(core_aws, "_session", None)


def test_a_completed_run_is_a_success(account: LockAccount) -> None:
    archive(account, COMPLETED)
    result = module(account)
    assert (result["run_id"], result["exit_code"], result["run"]["final"]) == (RUN, 0, True)
    assert f"run {RUN}: completed" in account.lines


@pytest.mark.parametrize(
    ("status", "code"), [(FAILED, 10), (TIMED_OUT, 11), (KILLED, 12), (INTERRUPTED, 13), (LOST, 14)]
)
def test_each_other_end_has_an_exit_code_of_its_own(account: LockAccount, status: str, code: int) -> None:
    archive(account, status, "The reason.")
    with pytest.raises(RunEnded, match=f"Run {RUN} ended as {status}: The reason.") as caught:
        module(account)
    assert caught.value.facts["exit_code"] == code
    assert caught.value.facts["run"]["status"] == status


def test_the_cost_so_far_is_by_the_price_that_the_launch_announced(account: LockAccount) -> None:
    account.put_json(RUN, "run_spec.json", run_spec(instance=InstanceSpec(price_per_hour_usd=60.0)).body())
    account.hold(
        status=RUNNING,
        instance_id="i-1",
        created_at="2026-01-02T03:00:00Z",
        heartbeat_at="2026-01-02T03:30:00Z",
        **TRAINING,
    )
    module(account, follow="none")
    assert "$30.0" in account.said and "so far" in account.said


def test_a_network_that_is_lost_is_said_once_and_survived(account: LockAccount) -> None:
    """While S3 does not answer the monitor says so; when it answers again the run is followed to its end."""
    observed = account.hold(status=RUNNING, instance_id="i-1", **TRAINING)
    ended: list[dict[str, Any]] = []
    eyes = threading.Thread(target=lambda: ended.append(watching(account).follow(run_id=None, interval=0.05)))
    eyes.start()
    try:
        wait_for(lambda: "3/5 training" in account.said, "the first look")
        account.aws.fault("GetObject", "ServiceUnavailable", status=503, times=None)
        wait_for(
            lambda: "cannot read the run's state" in account.said,
            "the words for a store that does not answer",
            timeout=60,
        )
    finally:
        account.aws.clear_faults()
        final = account.store.finish(observed, COMPLETED, None)
        archive(account, COMPLETED)
        account.store.remove(final)
        eyes.join(timeout=60)
    assert ended and ended[0]["status"] == COMPLETED
    blind = [line for line in account.lines if "cannot read the run's state" in line]
    assert len(blind) == 1 and "says nothing about the run" in blind[0]


def test_one_look_that_sees_nothing_is_not_a_failed_run(account: LockAccount) -> None:
    account.hold(status=RUNNING, instance_id="i-1", **TRAINING)
    account.aws.fault("GetObject", "ServiceUnavailable", status=503, times=None)
    with pytest.raises(CannotSee, match="This says nothing about the run") as caught:
        module(account, follow="none")
    assert caught.value.facts == {"exit_code": UNSEEN_CODE}
    account.aws.clear_faults()


def test_credentials_that_may_not_look_are_not_a_failed_run(
    account: LockAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.hold(status=RUNNING, instance_id="i-1", **TRAINING)
    become(account, monkeypatch, "monitor")
    arn = "arn:aws:iam::123456789012:policy/monitor-policy"
    account.aws.client("iam").detach_user_policy(UserName="monitor", PolicyArn=arn)
    with pytest.raises(CannotSee, match=r"may not s3:GetObject.*This says nothing about the run") as caught:
        watching(account).follow(run_id=None, interval=0.1)
    assert caught.value.facts == {"exit_code": UNSEEN_CODE}


@pytest.mark.parametrize("run_id", ["yesterday", "2026-01-01", "../../x"])
def test_a_run_id_that_is_none_is_one_sentence(account: LockAccount, run_id: str) -> None:
    with pytest.raises(TrainingError, match="is not a run id"):
        module(account, run_id=run_id)


def test_whoever_only_watches_can_monitor_and_list_and_compare(
    account: LockAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put_json(RUN, "run_spec.json", run_spec(instance=InstanceSpec(price_per_hour_usd=1.0)).body())
    instance = account.instance(account.tags(RUN))
    account.hold(status=RUNNING, instance_id=instance, **TRAINING)
    become(account, monkeypatch, "monitor")
    seen = module(account, follow="none")["run"]
    assert (seen["instance_state"], seen["final"]) == ("running", False)
    runs = {"env": ENV, "region": REGION, "limit": 20}
    listed = load_module("training_runs_info").run({**runs, "compare": []}, check_mode=False, emit=account.lines.append)
    assert [run["status"] for run in listed["runs"]] == [RUNNING]


def test_logs_are_streamed_to_whoever_may_read_them(account: LockAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "LOG_SECONDS", 0.05)
    key = f"{ENV}/logs/{RUN}/training.log"
    account.s3.put_object(Bucket=BUCKET, Key=key, Body=b"first\n")
    observed = account.hold(status=RUNNING, instance_id="i-1", **TRAINING)
    become(account, monkeypatch, "operator")
    eyes = threading.Thread(target=lambda: watching(account).follow(run_id=None, interval=0.2, logs=True))
    eyes.start()
    try:
        wait_for(lambda: "training | first" in account.lines, "the line that was there")
        account.s3.put_object(Bucket=BUCKET, Key=key, Body=b"first\nsecond\n")
        wait_for(lambda: "training | second" in account.lines, "the line that came")
    finally:
        account.s3.put_object(Bucket=BUCKET, Key=key, Body=b"first\nsecond\nlast, without an end")
        archive(account, COMPLETED)
        account.store.remove(account.store.finish(observed, COMPLETED, None))
        eyes.join(timeout=60)
    assert [line for line in account.lines if line.startswith("training |")] == [
        "training | first", "training | second", "training | last, without an end",
    ]  # fmt: skip


def test_logs_that_may_not_be_read_are_refused_with_the_way_out(
    account: LockAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.s3.put_object(Bucket=BUCKET, Key=f"{ENV}/logs/{RUN}/training.log", Body=b"secret\n")
    account.hold(status=RUNNING, instance_id="i-1", **TRAINING)
    become(account, monkeypatch, "monitor")
    with pytest.raises(CannotSee, match=r"may not s3:GetObject.*training_monitor_follow=state"):
        module(account, follow="logs")
    assert "secret" not in account.said
