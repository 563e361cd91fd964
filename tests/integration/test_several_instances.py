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

from .launch_world import BUCKET, DEAF_USER_DATA, ENV, PROJECT, REGION, RUN, LaunchWorld

TWO: dict[str, Any] = {"instances": 2, "training_config": {"run": {"instances": 2}}}
SCOPE = Scope(ENV, PROJECT, REGION, (REGION,), BUCKET)
VCPU = "You have requested more vCPU capacity than your current vCPU limit of 8 allows for the instance bucket."


@pytest.fixture
def world(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LaunchWorld:
    monkeypatch.setattr(run_instances.run_instances, "__kwdefaults__", {"sleep": lambda seconds: None})
    return LaunchWorld(aws, monkeypatch)


def states(world: LaunchWorld) -> list[str]:
    return sorted(i["State"]["Name"] for i in world.instances())


def end(world: LaunchWorld, instance_id: str) -> None:
    world.ec2.terminate_instances(InstanceIds=[instance_id])
    world.aws.wait_for_state(instance_id, "terminated")


def force_kill(world: LaunchWorld) -> list[str]:
    return kill(KillRequest(ENV, PROJECT, REGION, BUCKET, 0, True), world.lines.append).instances


def test_one_call_starts_all_and_the_state_names_them_with_the_leader_first(world: LaunchWorld) -> None:
    record = world.launch(**TWO)
    by_index = {i["AmiLaunchIndex"]: i["InstanceId"] for i in world.instances()}
    assert record.instances == (by_index[0], by_index[1])
    assert len({i["Placement"]["AvailabilityZone"] for i in world.instances()}) == 1
    assert {(g.run_id, g.number, g.instance_ids) for g in world.guards()} == {
        (RUN, 0, (by_index[0],)),
        (RUN, 1, (by_index[1],)),
    }
    assert (
        f"instances {by_index[0]}, {by_index[1]} started, {by_index[0]} is the head node: g4dn.2xlarge in us-east-1a"
        in world.lines
    )
    assert verify(SCOPE, 0, world.lines.append).clean


def test_a_lost_answer_makes_the_number_that_was_asked_for(world: LaunchWorld) -> None:
    world.aws.fault("RunInstances", lose_answer=True, times=2)
    record = world.launch(**TWO)
    assert {i["InstanceId"] for i in world.instances()} == set(record.instances) and len(record.members) == 1


def test_a_kill_ends_all_and_takes_every_guard_away(world: LaunchWorld) -> None:
    record = world.launch(**TWO)
    assert set(force_kill(world)) == set(record.instances)
    assert states(world) == ["terminated"] * 2
    assert world.lock() is None and world.guards() == [] and verify(SCOPE, 0, world.lines.append).clean


def test_a_launch_that_cannot_go_on_ends_all_that_it_started(world: LaunchWorld) -> None:
    world.aws.fault("CreateSchedule", "AccessDeniedException", "no", status=403, times=None)
    with pytest.raises(TrainingError, match="create the termination schedule"):
        world.launch(**TWO)
    assert states(world) == ["terminated"] * 2 and world.lock() is None and world.guards() == []


def test_a_quota_counts_all_instances(world: LaunchWorld) -> None:
    world.aws.fault("RunInstances", "VcpuLimitExceeded", VCPU, times=None)
    with pytest.raises(TrainingError) as error:
        world.launch(**TWO)
    assert "2 g4dn.2xlarge need 16" in str(error.value) and "Ask AWS for 16 or more vCPUs" in str(error.value)
    assert "1. 2 x g4dn.2xlarge in us-east-1a" in str(error.value)


@pytest.mark.parametrize("first", [0, 1])
def test_a_run_is_dead_when_all_its_instances_are(world: LaunchWorld, first: int) -> None:
    record = world.launch(**TWO)
    end(world, record.instances[first])
    lock, _ = reconcile(world.s3, BUCKET, world.store, world.ec2, PROJECT)
    assert lock is not None
    end(world, record.instances[1 - first])
    lock, said = reconcile(world.s3, BUCKET, world.store, world.ec2, PROJECT)
    assert lock is None and f"its instances {', '.join(record.instances)} are terminated" in str(said)
    assert world.guards() == []


def test_without_its_leader_a_run_is_taken_over_and_its_members_end(world: LaunchWorld) -> None:
    record = world.launch(**TWO)
    end(world, record.instances[0])
    with pytest.raises(TrainingError, match=r"Its head node is gone, and its workers end.*make kill"):
        world.launch(**TWO, run_id="20260102-030406")
    assert [f.resource.kind for f in verify(SCOPE, 0, world.lines.append).orphans if f.resource.kind == "lock"]
    found = find_stale_lock(world.store, world.ec2, PROJECT)
    assert found is not None and "can do nothing without it" in found[1]
    break_stale_lock(world.s3, BUCKET, world.store, world.ec2, PROJECT, *found, world.lines.append)
    assert states(world) == ["terminated"] * 2 and world.lock() is None and world.guards() == []


def test_each_instance_is_ended_by_a_guard_of_its_own(world: LaunchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "GUARD_MINUTES", 0)
    record = world.launch(**TWO, deadline_seconds=4.0, user_data=DEAF_USER_DATA)
    end(world, record.members[0])  # EC2 forgets it in an hour; the head node's guard must not depend on it
    world.aws.wait_for_state(record.instances[0], "terminated")
    assert termination_schedule.list_schedules(world.scheduler, ENV) == [] and world.dead_letters() == []
