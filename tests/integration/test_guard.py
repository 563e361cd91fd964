"""The termination schedule at work: schedules fire, failures are told, and a run whose instance does nothing is ended
by it alone.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chronos_training.control.launch import launch as launching
from chronos_training.control.lifecycle.kill import KillRequest, kill
from chronos_training.control.lifecycle.reconcile import close, reconcile
from chronos_training.core import termination_schedule
from chronos_training.core.clock import parse_iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.states import LOST
from chronos_training.core.store import RunActive
from local_aws.testing import wait_for

from .launch_account import (
    BUCKET,
    DEAF_USER_DATA,
    ENV,
    GUARD_ROLE_ARN,
    PROJECT,
    QUEUE_ARN,
    REGION,
    RUN,
    TAGS,
    LaunchAccount,
)


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LaunchAccount:
    return LaunchAccount(aws, monkeypatch)


def create(account: LaunchAccount, instance_id: str, seconds: float) -> None:
    fires_at = utc_now() + timedelta(seconds=seconds)
    termination_schedule.create(
        account.scheduler, ENV, RUN, instance_id, fires_at, role_arn=GUARD_ROLE_ARN, queue_arn=QUEUE_ARN
    )


def test_a_due_guard_terminates_its_instance_and_deletes_itself(account: LaunchAccount) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in TAGS.items()]}]
    target, bystander = (account.aws.launch(DEAF_USER_DATA, TagSpecifications=tags) for _ in range(2))
    account.aws.wait_for_state(target, "running")
    create(account, target, 3600)
    assert [g.instance_ids for g in account.guards()] == [(target,)]
    assert termination_schedule.cancel(account.scheduler, ENV, RUN) is True
    create(account, target, 2)
    assert account.aws.state(target) == "running"
    account.aws.wait_for_state(target, "terminated")
    assert account.guards() == [] and account.dead_letters() == []
    assert account.aws.state(bystander) == "running"
    assert termination_schedule.cancel(account.scheduler, ENV, RUN) is False


def test_arming_again_is_harmless(account: LaunchAccount) -> None:
    fires_at = utc_now() + timedelta(hours=1)
    for _ in range(2):
        termination_schedule.create(
            account.scheduler, ENV, RUN, "i-1", fires_at, role_arn=GUARD_ROLE_ARN, queue_arn=QUEUE_ARN
        )
    with pytest.raises(TrainingError, match="ConflictException"):
        termination_schedule.create(
            account.scheduler, ENV, RUN, "i-2", fires_at, role_arn=GUARD_ROLE_ARN, queue_arn=QUEUE_ARN
        )
    assert [g.instance_ids for g in account.guards()] == [("i-1",)]


def test_what_cannot_be_terminated_is_told_to_the_dead_letter_queue(account: LaunchAccount) -> None:
    stranger = account.aws.launch(DEAF_USER_DATA)  # not ours by its tags: the guard's own role may not end it
    create(account, stranger, -1)
    account.aws.advance(termination_schedule.RETRY_POLICY["MaximumEventAgeInSeconds"])
    letter = wait_for(account.dead_letters, "a dead letter")[0]
    assert json.loads(letter["Body"]) == {"InstanceIds": [stranger]}
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "UnauthorizedOperation" and stranger in said["ERROR_MESSAGE"]
    assert account.aws.state(stranger) != "terminated"
    assert said["SCHEDULE_ARN"].endswith(f"schedule/chronos-training-{ENV}/chronos-training-{ENV}-{RUN}")
    assert int(said["RETRY_ATTEMPTS"]) >= 2 and said["TARGET_ARN"] == termination_schedule.TARGET
    wait_for(lambda: account.guards() == [], "the schedule to be deleted after its failure")


def test_a_launch_arms_the_guard_and_a_kill_takes_it_away(account: LaunchAccount) -> None:
    record = account.launch()
    schedules = account.guards()
    assert [(g.run_id, g.instance_ids) for g in schedules] == [(RUN, (record.instance_id,))]
    assert schedules[0].fires_at == parse_iso(record.deadline_at)
    assert account.lines[-1] == (
        f"termination schedule created: terminates {record.instance_id} at {schedules[0].fires_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    kill(KillRequest(ENV, PROJECT, REGION, BUCKET, grace_seconds=0, force=True), account.lines.append)
    assert account.guards() == [] and account.lock() is None


def test_a_kill_takes_the_guard_away_whatever_the_scheduler_says(account: LaunchAccount) -> None:
    account.launch()
    account.aws.fault("DeleteSchedule", "AccessDeniedException", "no", status=403, times=None)
    kill(KillRequest(ENV, PROJECT, REGION, BUCKET, grace_seconds=0, force=True), account.lines.append)
    assert account.lock() is None and len(account.guards()) == 1
    assert any(line.startswith(f"the termination schedule of run {RUN} stays") for line in account.lines)


def test_a_settled_run_leaves_no_guard(account: LaunchAccount) -> None:
    record = account.launch()
    account.ec2.terminate_instances(InstanceIds=[record.instance_id])
    account.aws.wait_for_state(record.instance_id, "terminated")
    _, said = reconcile(account.s3, BUCKET, account.store, account.ec2, PROJECT)
    assert said is not None and account.lock() is None and account.guards() == []


def test_a_run_that_is_claimed_before_it_can_be_closed_keeps_its_guard(account: LaunchAccount) -> None:
    record = account.launch()
    thought_dead = account.store.read()
    assert thought_dead is not None and record.instance_id is not None
    account.store.claim(RUN, record.instance_id)
    with pytest.raises(RunActive):
        close(account.s3, BUCKET, account.store, thought_dead, LOST, "It looked dead.")
    assert [g.run_id for g in account.guards()] == [RUN]


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [("AccessDeniedException", 403, "AWS denied"), ("ServiceQuotaExceededException", 402, "too many")],
)
def test_without_its_guard_a_launch_ends_what_it_started(
    account: LaunchAccount, code: str, status: int, words: str
) -> None:
    account.aws.fault("CreateSchedule", code, "too many schedules", status=status, times=None)
    with pytest.raises(TrainingError, match=rf"create the termination schedule .*{words}"):
        account.launch()
    assert [i["State"]["Name"] for i in account.instances()] == ["terminated"]
    assert account.lock() is None and account.guards() == []
    assert account.archived()["status"] == "failed" and "termination schedule" in account.archived()["error_message"]


def test_an_environment_without_the_group_is_told_what_to_do(account: LaunchAccount) -> None:
    account.scheduler.delete_schedule_group(Name=termination_schedule.group_name(ENV))
    with pytest.raises(TrainingError, match=r"group chronos-training-local does not exist.*make provision"):
        account.launch()
    assert account.lock() is None


def test_an_instance_that_never_does_anything_is_ended_by_the_guard_alone(
    account: LaunchAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In life the guard waits a quarter of an hour longer than the run may take; the user data is of no use at all.
    monkeypatch.setattr(launching, "GUARD_MINUTES", 0)
    record = account.launch(deadline_seconds=4.0, user_data="#!/bin/sh\nexec sleep 3600\n")
    account.aws.wait_for_state(record.instance_id, "running")
    assert utc_now() < parse_iso(record.deadline_at)
    account.aws.wait_for_state(record.instance_id, "terminated")
    assert account.guards() == [] and account.dead_letters() == []
    # The lock of the dead run is settled by whatever comes next.
    lock, said = reconcile(account.s3, BUCKET, account.store, account.ec2, PROJECT)
    assert lock is None and f"its instance {record.instance_id} is terminated" in str(said)
