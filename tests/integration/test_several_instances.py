"""A run of two instances on the controller's side: launched, guarded, refused, killed and taken over as one."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.control.launch import launch as launching
from chronos_training.control.launch import run_instances
from chronos_training.control.lifecycle.break_stale_lock import break_stale_lock, find_stale_lock
from chronos_training.control.lifecycle.kill import KillRequest, kill
from chronos_training.control.lifecycle.reconcile import reconcile
from chronos_training.control.orphans.snapshot import Scope
from chronos_training.control.orphans.verify import verify
from chronos_training.core import termination_schedule
from chronos_training.core.errors import TrainingError

from .launch_account import BUCKET, DEAF_USER_DATA, ENV, PROJECT, REGION, RUN, LaunchAccount

TWO: dict[str, Any] = {"instances": 2}
SCOPE = Scope(ENV, PROJECT, REGION, (REGION,), BUCKET)
VCPU = "You have requested more vCPU capacity than your current vCPU limit of 8 allows for the instance bucket."


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LaunchAccount:
    monkeypatch.setattr(run_instances.run_instances, "__kwdefaults__", {"sleep": lambda seconds: None})
    return LaunchAccount(aws, monkeypatch)


def states(account: LaunchAccount) -> list[str]:
    return sorted(i["State"]["Name"] for i in account.instances())


def end(account: LaunchAccount, instance_id: str) -> None:
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    account.aws.wait_for_state(instance_id, "terminated")


def force_kill(account: LaunchAccount) -> list[str]:
    return kill(KillRequest(ENV, PROJECT, REGION, BUCKET, 0, True), account.lines.append).instances


def test_one_call_starts_all_and_the_state_names_them_with_the_leader_first(account: LaunchAccount) -> None:
    record = account.launch(**TWO)
    by_index = {i["AmiLaunchIndex"]: i["InstanceId"] for i in account.instances()}
    assert record.instances == (by_index[0], by_index[1])
    assert len({i["Placement"]["AvailabilityZone"] for i in account.instances()}) == 1
    assert {(g.run_id, g.number, g.instance_ids) for g in account.guards()} == {
        (RUN, 0, (by_index[0],)),
        (RUN, 1, (by_index[1],)),
    }
    assert (
        f"instances {by_index[0]}, {by_index[1]} started, {by_index[0]} is the head node: g4dn.2xlarge in us-east-1a"
        in account.lines
    )
    assert verify(SCOPE, 0, account.lines.append).clean


def test_a_lost_answer_makes_the_number_that_was_asked_for(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", lose_answer=True, times=2)
    record = account.launch(**TWO)
    assert {i["InstanceId"] for i in account.instances()} == set(record.instances) and len(record.members) == 1


def test_a_kill_ends_all_and_takes_every_guard_away(account: LaunchAccount) -> None:
    record = account.launch(**TWO)
    assert set(force_kill(account)) == set(record.instances)
    assert states(account) == ["terminated"] * 2
    assert account.lock() is None and account.guards() == [] and verify(SCOPE, 0, account.lines.append).clean


def test_a_launch_that_cannot_go_on_ends_all_that_it_started(account: LaunchAccount) -> None:
    account.aws.fault("CreateSchedule", "AccessDeniedException", "no", status=403, times=None)
    with pytest.raises(TrainingError, match="create the termination schedule"):
        account.launch(**TWO)
    assert states(account) == ["terminated"] * 2 and account.lock() is None and account.guards() == []


def test_a_quota_counts_all_instances(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "VcpuLimitExceeded", VCPU, times=None)
    with pytest.raises(TrainingError) as error:
        account.launch(**TWO)
    assert "2 g4dn.2xlarge need 16" in str(error.value) and "Ask AWS for 16 or more vCPUs" in str(error.value)
    assert "1. 2 x g4dn.2xlarge in us-east-1a" in str(error.value)


@pytest.mark.parametrize("first", [0, 1])
def test_a_run_is_dead_when_all_its_instances_are(account: LaunchAccount, first: int) -> None:
    record = account.launch(**TWO)
    end(account, record.instances[first])
    lock, _ = reconcile(account.s3, BUCKET, account.store, account.ec2, PROJECT)
    assert lock is not None
    end(account, record.instances[1 - first])
    lock, said = reconcile(account.s3, BUCKET, account.store, account.ec2, PROJECT)
    assert lock is None and f"its instances {', '.join(record.instances)} are terminated" in str(said)
    assert account.guards() == []


def test_without_its_leader_a_run_is_taken_over_and_its_members_end(account: LaunchAccount) -> None:
    record = account.launch(**TWO)
    end(account, record.instances[0])
    with pytest.raises(TrainingError, match=r"Its head node is gone, and its workers end.*make kill"):
        account.launch(**TWO, run_id="20260102-030406")
    assert [f.resource.kind for f in verify(SCOPE, 0, account.lines.append).orphans if f.resource.kind == "lock"]
    found = find_stale_lock(account.store, account.ec2, PROJECT)
    assert found is not None and "can do nothing without it" in found[1]
    break_stale_lock(account.s3, BUCKET, account.store, account.ec2, PROJECT, *found, account.lines.append)
    assert states(account) == ["terminated"] * 2 and account.lock() is None and account.guards() == []


def test_each_instance_is_ended_by_a_guard_of_its_own(account: LaunchAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "GUARD_MINUTES", 0)
    record = account.launch(**TWO, deadline_seconds=4.0, user_data=DEAF_USER_DATA)
    end(account, record.members[0])  # EC2 forgets it in an hour; the head node's guard must not depend on it
    account.aws.wait_for_state(record.instances[0], "terminated")
    assert termination_schedule.list_schedules(account.scheduler, ENV) == [] and account.dead_letters() == []
