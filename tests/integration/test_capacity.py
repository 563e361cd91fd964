"""Launches into an AWS without capacity, without quota, without manners: one instance or none, and every attempt told."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.ansible import changes
from chronos_training.control.launch import run_instances
from chronos_training.core.errors import TrainingError

from .launch_account import RUN, LaunchAccount

FULL = (
    "We currently do not have sufficient g4dn.2xlarge capacity in the Availability Zone you requested ({}). Our system "
    "will be working on provisioning additional capacity. You can currently get g4dn.2xlarge capacity by not specifying an "
    "Availability Zone in your request or choosing {}."
)
VCPU = (
    "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the "
    "specified instance type belongs to."
)
NOT_HERE = (
    "Your requested instance type (g4dn.2xlarge) is not supported in your requested Availability Zone (us-east-1f). "
    "Please retry your request by not specifying an Availability Zone or choosing us-east-1a, us-east-1b, us-east-1c."
)
NOT_SUPPORTED = "The requested configuration is currently not supported. Please check the documentation for supported configurations."
FREE_PLAN = (
    "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run "
    "'describe-instance-types' with the filter 'free-tier-eligible=true'."
)
PROFILE = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LaunchAccount:
    # Pauses between repeated calls: their lengths are not what is tested here.
    monkeypatch.setattr(run_instances.run_instances, "__kwdefaults__", {"sleep": lambda seconds: None})
    return LaunchAccount(aws, monkeypatch)


def full(account: LaunchAccount, zone: str, others: str = "us-east-1f", **match: str) -> None:
    message = FULL.format(zone, others)
    account.aws.fault(
        "RunInstances", "InsufficientInstanceCapacity", message, status=500, times=None, Zone=zone, **match
    )


def nothing_is_left(account: LaunchAccount) -> bool:
    alive = [i for i in account.instances() if i["State"]["Name"] != "terminated"]
    return not alive and account.lock() is None and account.guards() == []


def test_the_next_zone_is_tried(account: LaunchAccount) -> None:
    full(account, "us-east-1a")
    record = account.launch()
    assert [i["Placement"]["AvailabilityZone"] for i in account.instances()] == ["us-east-1b"]
    assert record.attempt == 2
    reason = "g4dn.2xlarge in us-east-1a: no capacity in this zone (InsufficientInstanceCapacity)"
    assert f"attempt 1: {reason}" in account.lines
    assert f"instance {record.instance_id} started: g4dn.2xlarge in us-east-1b" in account.lines


def test_the_zone_that_aws_names_comes_first(account: LaunchAccount) -> None:
    full(account, "us-east-1a", others="us-east-1c")
    account.launch()
    assert [i["Placement"]["AvailabilityZone"] for i in account.instances()] == ["us-east-1c"]


def test_the_next_type_is_tried_when_no_zone_offers_the_first(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "Unsupported", NOT_HERE, times=None, InstanceType="g4dn.2xlarge")
    record = account.launch(instance_types=("g4dn.2xlarge", "g5.2xlarge"))
    assert (record.instance_type, record.attempt) == ("g5.2xlarge", 4)
    assert sum("this zone does not offer the type (Unsupported)" in line for line in account.lines) == 3


def test_nothing_to_be_had_is_one_error_with_every_attempt_and_nothing_is_left(account: LaunchAccount) -> None:
    for zone in ("us-east-1a", "us-east-1b", "us-east-1c"):
        full(account, zone)
    with pytest.raises(TrainingError) as error:
        account.launch(instance_types=("g4dn.2xlarge", "g5.2xlarge"))
    assert "every zone and type was refused" in str(error.value)
    for number, (kind, zone) in enumerate([(k, z) for k in ("g4dn", "g5") for z in "abc"], start=1):
        assert f"{number}. {kind}.2xlarge in us-east-1{zone}: no capacity in this zone" in str(error.value)
    assert "AWS: InsufficientInstanceCapacity: We currently do not have sufficient" in str(error.value)
    assert "Try again later" in str(error.value)
    assert nothing_is_left(account)
    assert account.archived()["status"] == "failed" and account.archived()["attempt"] == 6


def test_what_no_zone_supports_is_told_in_aws_words_and_waiting_is_not_advised(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "Unsupported", NOT_SUPPORTED, times=None)
    with changes.recorded() as done, pytest.raises(TrainingError) as error:
        account.launch()
    # It took the lock, and archived the run; the probes of the bucket count as nothing.
    assert any("system-state.json" in change for change in done) and not any("probe" in change for change in done)
    said = str(error.value)
    assert said.count("AWS does not support this here (Unsupported)") == 3
    assert f"AWS: Unsupported: {NOT_SUPPORTED}" in said
    assert "later" not in said and "Give other types" in said and "another region (training_region)" in said
    assert nothing_is_left(account)


def test_a_quota_of_zero_is_explained_and_no_other_zone_is_tried(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "VcpuLimitExceeded", VCPU, times=None)
    with pytest.raises(TrainingError) as error:
        account.launch(instance_types=("g4dn.2xlarge", "g5.2xlarge"))
    assert "'Running On-Demand G and VT instances' of this account in us-east-1 is 0 vCPUs" in str(error.value)
    assert f"VcpuLimitExceeded: {VCPU}" in str(error.value)
    assert "Ask AWS for 8 or more vCPUs" in str(error.value) and "2." not in str(error.value).split("Attempts")[1]
    assert nothing_is_left(account)


def test_an_account_on_the_free_plan_is_told_so_and_what_to_do(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "InvalidParameterCombination", FREE_PLAN, times=None)
    with pytest.raises(TrainingError) as error:
        account.launch(instance_types=("m5.large", "g4dn.2xlarge"))
    assert "This account is on AWS's free plan" in str(error.value)
    assert "Upgrade it to the paid plan" in str(error.value)
    attempts = [line for line in account.lines if line.startswith("attempt ")]
    assert [line.split()[2] for line in attempts] == ["m5.large", "g4dn.2xlarge"]  # not each of them in each zone
    assert nothing_is_left(account)


def test_a_type_of_another_quota_family_is_tried(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "VcpuLimitExceeded", VCPU, times=None, InstanceType="g*")
    record = account.launch(instance_types=("g4dn.2xlarge", "g5.2xlarge", "p3.2xlarge"))
    assert (record.instance_type, record.attempt) == ("p3.2xlarge", 2)


@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_answer_makes_exactly_one_instance(account: LaunchAccount, times: int) -> None:
    account.aws.fault("RunInstances", lose_answer=True, times=times)
    record = account.launch()
    assert [i["InstanceId"] for i in account.instances()] == [record.instance_id]
    assert record.attempt == 1
    assert sum("asking again with the same token" in line for line in account.lines) == times


def test_a_busy_ec2_is_asked_again(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "RequestLimitExceeded", "Request limit exceeded.", status=503, times=2)
    account.aws.fault("RunInstances", "InternalError", "An internal error has occurred", status=500)
    record = account.launch()
    assert len(account.instances()) == 1 and record.attempt == 1


def test_a_new_instance_profile_is_waited_for_and_a_missing_one_is_an_error(
    account: LaunchAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.aws.fault("RunInstances", "InvalidParameterValue", PROFILE, times=2)
    assert account.launch().attempt == 1
    assert sum("available everywhere yet" in line for line in account.lines) == 2


def test_an_instance_profile_that_never_appears_is_an_error(
    account: LaunchAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_instances, "PROFILE_PATIENCE_SECONDS", 0.0)
    account.aws.fault("RunInstances", "InvalidParameterValue", PROFILE, times=None)
    with pytest.raises(TrainingError, match="Invalid IAM Instance Profile"):
        account.launch()
    assert nothing_is_left(account)


def test_an_ec2_that_never_answers_leaves_nothing_that_lives(
    account: LaunchAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_instances, "ANSWER_PATIENCE_SECONDS", 0.0)
    account.aws.fault("RunInstances", lose_answer=True, times=None)
    with pytest.raises(TrainingError, match="An instance may have been started"):
        account.launch()
    # It had been started; by its tags it was found and ended.
    assert [i["State"]["Name"] for i in account.instances()] == ["terminated"]
    assert nothing_is_left(account)


def test_when_nobody_knows_what_was_started_the_lock_is_kept(
    account: LaunchAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_instances, "ANSWER_PATIENCE_SECONDS", 0.0)
    account.aws.fault("RunInstances", "InternalError", "An internal error has occurred", status=500, times=None)
    with pytest.raises(TrainingError, match="An instance may have been started"):
        account.launch()
    held = account.lock()
    assert held is not None and held.record.run_id == RUN and held.record.kill_requested_at is not None


def test_a_token_used_for_something_else_is_explained(account: LaunchAccount) -> None:
    account.aws.fault("RunInstances", "IdempotentParameterMismatch", "Arguments are inconsistent")
    with pytest.raises(TrainingError, match="has already seen this launch's client token with another request"):
        account.launch()
    assert nothing_is_left(account)
