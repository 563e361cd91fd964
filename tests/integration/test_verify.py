"""verify_cleanup finds every kind of thing that can be left over, by its tags, and its fix ends that and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chronos_training.core import termination_schedule
from chronos_training.core.clock import utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.states import COMPLETED, RUNNING

from .lock_account import BUCKET, ENV, OLD_RUN, OTHER_REGION, PROJECT, ROOT, RUN, LockAccount


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


def snapshot(account: LockAccount) -> str:
    volume = account.volume(account.tags(env="dev"))
    tags = account.spec("snapshot", account.tags())
    return str(account.ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"])


def interface(account: LockAccount) -> str:
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    tags = account.spec("network-interface", account.tags())
    made = account.ec2.create_network_interface(SubnetId=subnet, TagSpecifications=tags)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def address(account: LockAccount) -> str:
    tags = account.spec("elastic-ip", account.tags())
    return str(account.ec2.allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"])


def spot_request(account: LockAccount) -> str:
    made = account.ec2.request_spot_instances(
        InstanceCount=1,
        LaunchSpecification={"ImageId": "ami-0a7d80731ae1b2435", "InstanceType": "c5.large"},
        TagSpecifications=account.spec("spot-instances-request", account.tags()),
    )
    return str(made["SpotInstanceRequests"][0]["SpotInstanceRequestId"])


def schedule(account: LockAccount, run_id: str = OLD_RUN, tags: list[dict[str, str]] | None = None) -> str:
    group, name = termination_schedule.group_name(ENV), termination_schedule.schedule_name(ENV, run_id)
    try:
        account.scheduler.create_schedule_group(Name=group, Tags=tags or account.tags(""))
    except account.scheduler.exceptions.ConflictException:
        pass
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy, iam = {"Version": "2012-10-17", "Statement": [trust]}, account.aws.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="guard", AssumeRolePolicyDocument=json.dumps(policy))
    role, end = iam.get_role(RoleName="guard")["Role"]["Arn"], utc_now() + timedelta(hours=1)
    request = termination_schedule.request_of(
        ENV, run_id, "i-00000000000000000", end, role, "arn:aws:sqs:us-east-1:123456789012:q"
    )
    account.scheduler.create_schedule(**request)
    return name


def upload(account: LockAccount, key: str = f"{ENV}/runs/2026/01/01-010101/models/big.bin") -> str:
    return str(account.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])


def dead_lock(account: LockAccount) -> str:
    gone = account.instance(account.tags(RUN))
    account.terminate(gone)
    account.hold(status=RUNNING, instance_id=gone, claimed_at="2026-01-02T03:04:05Z", run_id=RUN)
    return f"s3://{BUCKET}/{ENV}/system-state.json"


def unreleased_lock(account: LockAccount) -> str:
    gone = account.instance(account.tags(RUN))
    account.terminate(gone)
    account.hold(status=COMPLETED, instance_id=gone, run_id=RUN)
    return f"s3://{BUCKET}/{ENV}/system-state.json"


KINDS = {
    "instance": lambda account: account.instance(),
    "volume": lambda account: account.volume(),
    "snapshot": snapshot,
    "network interface": interface,
    "address": address,
    "Spot request": spot_request,
    "schedule": schedule,
    "multipart upload": upload,
    "dead lock": dead_lock,
    "unreleased lock": unreleased_lock,
}


def test_an_empty_account_is_clean(account: LockAccount) -> None:
    result = account.cleanup()
    assert (result["clean"], result["changed"], result["orphans"]) == (True, False, [])
    assert "clean: nothing is running, no orphans in us-east-1" in account.said
    assert account.fix()["ended"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_by_name_and_ended_by_fix(account: LockAccount, kind: str) -> None:
    identity = KINDS[kind](account)
    with pytest.raises(TrainingError, match="Left over in local") as raised:
        account.cleanup()
    noun = "lock" if kind.endswith("lock") else kind
    assert f"{noun} {identity}" in str(raised.value)
    assert "make verify ARGS='-e training_cleanup_check_fix=true'" in raised.value.hint
    assert identity[:20] in account.said

    preview = account.fix(check_mode=True, wait_seconds=0)
    assert preview["changed"] and f"{noun} {identity}" in preview["ended"]
    assert f"would end {noun} {identity}" in account.said and identity in preview["diff"]["before"]
    with pytest.raises(TrainingError):
        account.cleanup()

    if kind == "Spot request":  # moto gives the instance of a tagged request no tags: it is not provably ours
        assert f"{noun} {identity}" in account.fix()["ended"]
        return
    fixed = account.fix(wait_seconds=0 if noun == "lock" else 120)
    assert fixed["changed"] and f"{noun} {identity}" in fixed["ended"]
    assert f"ended {noun} {identity}" in account.said and "clean: nothing is running" in account.said
    assert not account.fix(wait_seconds=0)["changed"]


def test_fix_ends_everything_at_once_and_archives_the_dead_run(account: LockAccount) -> None:
    lock = dead_lock(account)
    left = [
        account.instance(account.tags(RUN)),
        snapshot(account),
        interface(account),
        address(account),
        upload(account),
    ]
    left += [schedule(account), schedule(account, RUN), account.volume()]
    result = account.fix()
    ended = " ".join(result["ended"])
    assert all(identity in ended for identity in [lock, *left])
    assert account.store.read() is None
    archived = json.loads(account.read(RUN, "system-state.json"))
    assert archived["status"] == "lost" and "is terminated" in archived["error_message"]
    assert account.cleanup()["clean"]


def test_what_is_not_provably_ours_is_neither_shown_nor_touched(account: LockAccount) -> None:
    foreign = {
        account.volume(account.tags(env="dev")),
        account.volume(account.tags(project="Other")),
        account.volume([{"Key": "Project", "Value": PROJECT}]),
        account.volume([{"Key": "Environment", "Value": ENV}]),
    }
    instance = account.instance(account.tags(env="prod"))
    upload(account, "dev/runs/2026/01/01-010101/models/big.bin")
    upload(account, "cached-datasets/big/part-0.parquet")
    schedule(account, tags=account.tags("", project="Other"))  # somebody else's group of that name
    assert account.cleanup()["clean"] and account.fix()["ended"] == []
    assert foreign <= account.volumes()
    assert account.aws.state(instance) in {"pending", "running"}
    assert len(account.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 2
    assert len(account.scheduler.list_schedules(GroupName=termination_schedule.group_name(ENV))["Schedules"]) == 1


def test_a_volume_of_ours_on_a_foreign_instance_is_told_and_left(account: LockAccount) -> None:
    foreign = account.instance(account.tags(env="dev"))
    account.aws.wait_for_state(foreign, "running")
    zone = account.aws.instance(foreign)["Placement"]["AvailabilityZone"]
    tags = account.spec("volume", account.tags())
    volume = account.ec2.create_volume(AvailabilityZone=zone, Size=8, TagSpecifications=tags)["VolumeId"]
    account.ec2.attach_volume(VolumeId=volume, InstanceId=foreign, Device="/dev/sdf")
    with pytest.raises(TrainingError, match=f"attached to {foreign}, which we cannot prove to be ours"):
        account.fix()
    assert volume in account.volumes() and account.aws.state(foreign) == "running"


def test_an_active_run_is_shown_and_never_touched(account: LockAccount) -> None:
    mine = account.instance(account.tags(RUN))
    account.hold(status=RUNNING, instance_id=mine, claimed_at="2026-01-02T03:04:05Z", run_id=RUN)
    guards = schedule(account, RUN)
    mine_upload = upload(account, f"{ENV}/runs/2026/01/02-030405/models/big.bin")
    assert account.cleanup()["active_run"] == RUN
    assert f"clean: run {RUN} is active, no orphans" in account.said
    assert f"run {RUN} of ann@laptop (pid 42): step running" in account.said

    old_volume, nameless = account.volume(), account.volume(account.tags(""))
    stray = account.instance()
    with pytest.raises(TrainingError, match=rf"{nameless}.*it has no RunId tag, and run {RUN} may be using it"):
        account.fix()
    assert account.aws.state(mine) in {"pending", "running"} and account.aws.state(stray) == "terminated"
    assert old_volume not in account.volumes() and nameless in account.volumes()
    left = {u["UploadId"] for u in account.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]}
    assert left == {mine_upload}
    listed = account.scheduler.list_schedules(GroupName=termination_schedule.group_name(ENV))["Schedules"]
    assert [s["Name"] for s in listed] == [guards]
    observed = account.store.read()
    assert observed is not None and observed.record.run_id == RUN


def test_a_launch_under_way_is_no_orphan(account: LockAccount) -> None:
    account.hold(run_id=RUN)
    assert account.cleanup()["active_run"] == RUN
    early = account.instance(account.tags(RUN))  # started, not yet entered in the state
    assert account.fix()["ended"] == []
    assert f"instance {early}" in account.said and account.aws.state(early) in {"pending", "running"}


def test_other_regions_are_searched_when_they_are_named(account: LockAccount) -> None:
    far = account.volume(region=OTHER_REGION)
    assert account.cleanup()["clean"]
    with pytest.raises(TrainingError, match=far):
        account.cleanup(regions=["us-east-1", OTHER_REGION])
    assert OTHER_REGION in account.said
    assert account.fix(regions=["us-east-1", OTHER_REGION])["ended"] == [f"volume {far}"]
    assert far not in account.volumes(OTHER_REGION)


def test_it_waits_for_what_is_on_its_way_out(account: LockAccount) -> None:
    going = account.instance()
    account.aws.wait_for_state(going, "running")
    account.ec2.terminate_instances(InstanceIds=[going])
    assert account.cleanup(wait_seconds=120)["clean"]


def test_it_looks_again_when_a_run_has_just_ended(account: LockAccount) -> None:
    """EC2 shows changes late: one look at an empty list proves nothing a second after the end of a run."""
    account.put_json(OLD_RUN, "system-state.json", b"{}")
    calls = count_describes(account)
    assert account.cleanup(wait_seconds=120)["clean"]
    assert calls() >= 2


def count_describes(account: LockAccount) -> Any:
    from chronos_training.control.orphans import verify

    looks: list[int] = []
    original = verify.collect
    verify.collect = lambda scope: (looks.append(1), original(scope))[1]

    def count() -> int:
        verify.collect = original
        return len(looks)

    return count


def test_cleanup_status_is_completed_for_every_run_that_lacks_it(account: LockAccount) -> None:
    half = {
        "schema_version": 1,
        "run_id": OLD_RUN,
        "status": "terminating",
        "before": {"resources": ["x"]},
        "after": None,
    }
    account.put_json(OLD_RUN, "cleanup_status.json", json.dumps(half).encode())
    account.put_json(RUN, "run_spec.json", b"{}")  # a run that could not write its own
    volume = account.volume(account.tags(RUN))
    with pytest.raises(TrainingError):
        account.cleanup()
    old, new = (json.loads(account.read(run, "cleanup_status.json")) for run in (OLD_RUN, RUN))
    assert (old["status"], old["before"], old["after"]["resources"]) == ("clean", {"resources": ["x"]}, [])
    assert (new["status"], new["after"]["resources"][0]["resource_id"]) == ("orphans", volume)
    result = account.fix()
    assert [key.split("/")[-2] for key in result["cleanup_status"]] == ["02-030405"]
    new = json.loads(account.read(RUN, "cleanup_status.json"))
    assert (new["status"], new["after"]["resources"], new["after"]["regions"]) == ("clean", [], ["us-east-1"])
    assert new["before"]["resources"][0]["resource_id"] == volume
    assert account.cleanup()["cleanup_status"] == []


def play(account: LockAccount, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "playbooks/verify_cleanup.yml", *arguments],
        cwd=ROOT,
        env=os.environ | {k: str(v) for k, v in account.aws.env.items()} | {"NO_COLOR": "1", "LC_ALL": "C.UTF-8"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_playbook_and_its_exit_codes(account: LockAccount) -> None:
    volume = account.volume()
    code, output = play(account)
    assert code != 0 and f"volume {volume} (available, run {OLD_RUN})" in output, output
    assert "-e training_cleanup_check_fix=true" in output and "Traceback" not in output
    fixing = ("-e", json.dumps({"training_cleanup_check_fix": True, "training_cleanup_check_wait_seconds": 10}))
    code, output = play(account, *fixing, "--check", "--diff")
    assert code == 0 and f"would end volume {volume}" in output and "changed=1" in output, output
    assert volume in account.volumes()
    code, output = play(account, *fixing)
    assert code == 0 and f"ended volume {volume}" in output and "changed=1" in output, output
    code, output = play(account)
    assert code == 0 and "clean: nothing is running" in output and "changed=0" in output, output


def test_a_missing_bucket_and_a_missing_environment_are_said(account: LockAccount) -> None:
    account.s3.delete_bucket(Bucket=BUCKET)
    code, output = play(account)
    assert code != 0 and "does not exist" in output and "make provision" in output, output
    account.aws.client("ssm").delete_parameter(Name=f"/chronos-training/{ENV}/bucket")
    code, output = play(account)
    assert code != 0 and "Environment local is not provisioned in us-east-1" in output, output
