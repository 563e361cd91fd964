"""The check after deployment: a right environment passes, and each broken property is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chronos_training.control.provision import checks, people, schedule_group
from chronos_training.control.provision.active import active_run
from chronos_training.control.provision.bucket import Lifecycle, wanted
from chronos_training.control.provision.checks import findings
from chronos_training.control.provision.names import Names
from chronos_training.control.provision.survey import Survey
from chronos_training.control.provision.table import render, rows
from chronos_training.core.instances import Instance

TAGS = {"Project": "Chronos-Training", "Environment": "dev", "CostCenter": "research", "ManagedBy": "Ansible"}
AMONG_THEMSELVES = {
    "IpProtocol": "tcp",
    "FromPort": 0,
    "ToPort": 65535,
    "UserIdGroupPairs": [{"GroupId": "sg-1"}],
}
RAW_TAGS = [{"Key": key, "Value": value} for key, value in TAGS.items()]
NAMES = Names("dev", "us-east-1", "bucket-of-dev", TAGS)
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x"}]}
BUCKET = wanted("dev", NAMES.bucket, TAGS, Lifecycle())
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
GUARD_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "x"}],
}
GUARD_TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ]
}
PEOPLE = dict.fromkeys(NAMES.people, POLICY)
QUEUE_ARN = f"arn:aws:sqs:us-east-1:123456789012:{NAMES.termination_schedule_queue}"


def right() -> Survey:
    """Return the descriptions of an environment in which everything is as it must be."""
    subnets = [
        {
            "SubnetId": f"subnet-{n}",
            "VpcId": "vpc-1",
            "AvailabilityZone": f"us-east-1{zone}",
            "CidrBlock": f"10.41.{16 * n}.0/20",
            "MapPublicIpOnLaunch": True,
            "Tags": RAW_TAGS,
        }
        for n, zone in enumerate("ab")
    ]
    return copy.deepcopy(
        Survey(
            vpcs=[{"VpcId": "vpc-1", "Tags": RAW_TAGS}],
            subnets=subnets,
            gateways=[{"InternetGatewayId": "igw-1", "Tags": RAW_TAGS}],
            route_tables=[
                {
                    "RouteTableId": "rtb-1",
                    "Associations": [{"SubnetId": subnet["SubnetId"]} for subnet in subnets],
                    "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}],
                    "Tags": RAW_TAGS,
                }
            ],
            endpoints=[
                {
                    "VpcEndpointId": "vpce-1",
                    "ServiceName": "com.amazonaws.us-east-1.s3",
                    "RouteTableIds": ["rtb-1"],
                    "Tags": RAW_TAGS,
                }
            ],
            security_groups=[
                {
                    "GroupId": "sg-1",
                    "GroupName": NAMES.instance,
                    "IpPermissions": [AMONG_THEMSELVES],
                    "IpPermissionsEgress": [
                        AMONG_THEMSELVES,
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 443,
                            "ToPort": 443,
                            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                        },
                    ],
                    "Tags": RAW_TAGS,
                }
            ],
            bucket=BUCKET,
            role={
                "AssumeRolePolicyDocument": TRUST,
                "InlinePolicies": {"training-instance": POLICY},
                "AttachedPolicies": [],
                "Tags": RAW_TAGS,
            },
            profile={"Roles": [{"RoleName": NAMES.instance}], "Tags": RAW_TAGS},
            parameters={
                "vpc_id": "vpc-1",
                "subnet_ids": "subnet-1,subnet-0",
                "security_group_id": "sg-1",
                "bucket": NAMES.bucket,
                "instance_profile": NAMES.instance,
                "region": "us-east-1",
                "guard_group": NAMES.termination_schedule_group,
                "guard_role_arn": "arn:aws:iam::123456789012:role/guard",
                "guard_queue_arn": QUEUE_ARN,
            },
            termination_schedule_role={
                "Arn": "arn:aws:iam::123456789012:role/guard",
                "AssumeRolePolicyDocument": GUARD_TRUST,
                "InlinePolicies": {"training-guard": GUARD_POLICY},
                "AttachedPolicies": [],
                "Tags": RAW_TAGS,
            },
            termination_schedule_group={"tags": TAGS},
            people={name: people.Policy(copy.deepcopy(POLICY), dict(TAGS)) for name in NAMES.people},
            termination_schedule_queue=schedule_group.wanted(QUEUE_ARN, TAGS)["queue"],
        )
    )


def judge(seen: Survey) -> list[str]:
    return findings(seen, NAMES, BUCKET, POLICY, GUARD_POLICY, PEOPLE)


def test_a_right_environment_has_no_findings() -> None:
    assert judge(right()) == []


def _second_vpc(seen: Survey) -> None:
    seen.vpcs.append({"VpcId": "vpc-2", "Tags": RAW_TAGS})


def _one_zone(seen: Survey) -> None:
    seen.subnets[1]["AvailabilityZone"] = "us-east-1a"


def _private_subnet(seen: Survey) -> None:
    seen.subnets[0]["MapPublicIpOnLaunch"] = False


def _lost_association(seen: Survey) -> None:
    seen.route_tables[0]["Associations"].pop()


def _blackhole(seen: Survey) -> None:
    seen.route_tables[0]["Routes"][0]["State"] = "blackhole"


def _endpoint_elsewhere(seen: Survey) -> None:
    seen.endpoints[0]["RouteTableIds"] = []


def _endpoint_of_another_region(seen: Survey) -> None:
    seen.endpoints[0]["ServiceName"] = "com.amazonaws.eu-west-1.s3"


def _ssh_open(seen: Survey) -> None:
    seen.security_groups[0]["IpPermissions"].append({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22})


def _another_group_let_in(seen: Survey) -> None:
    seen.security_groups[0]["IpPermissions"] = [
        AMONG_THEMSELVES | {"UserIdGroupPairs": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}]}
    ]


def _each_alone(seen: Survey) -> None:
    seen.security_groups[0]["IpPermissions"] = []


def _all_egress(seen: Survey) -> None:
    seen.security_groups[0]["IpPermissionsEgress"] = [{"IpProtocol": "-1"}]


def _public_bucket(seen: Survey) -> None:
    assert seen.bucket is not None
    seen.bucket["public_access_block"]["BlockPublicAcls"] = False


def _no_tls(seen: Survey) -> None:
    assert seen.bucket is not None
    seen.bucket["policy"] = None


def _lifecycle_gone(seen: Survey) -> None:
    assert seen.bucket is not None
    seen.bucket["lifecycle"] = None


def _administrator(seen: Survey) -> None:
    assert seen.role is not None
    seen.role["AttachedPolicies"].append("arn:aws:iam::aws:policy/AdministratorAccess")


def _wider_policy(seen: Survey) -> None:
    assert seen.role is not None
    seen.role["InlinePolicies"]["more"] = POLICY


def _trusts_others(seen: Survey) -> None:
    assert seen.role is not None
    seen.role["AssumeRolePolicyDocument"] = {"Statement": [{"Principal": "*"}]}


def _empty_profile(seen: Survey) -> None:
    assert seen.profile is not None
    seen.profile["Roles"] = []


def _stale_parameter(seen: Survey) -> None:
    seen.parameters["vpc_id"] = "vpc-of-last-year"


def _untagged(seen: Survey) -> None:
    seen.gateways[0]["Tags"] = []


def _guard_role_gone(seen: Survey) -> None:
    object.__setattr__(seen, "termination_schedule_role", None)


def _guard_for_all_accounts(seen: Survey) -> None:
    assert seen.termination_schedule_role is not None
    del seen.termination_schedule_role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]


def _guard_ends_everything(seen: Survey) -> None:
    assert seen.termination_schedule_role is not None
    seen.termination_schedule_role["InlinePolicies"]["training-guard"] = POLICY


def _no_guard_group(seen: Survey) -> None:
    object.__setattr__(seen, "termination_schedule_group", None)


def _no_guard_queue(seen: Survey) -> None:
    object.__setattr__(seen, "termination_schedule_queue", None)


def _queue_in_clear(seen: Survey) -> None:
    assert seen.termination_schedule_queue is not None
    seen.termination_schedule_queue["SqsManagedSseEnabled"] = "false"


def _queue_without_tls(seen: Survey) -> None:
    assert seen.termination_schedule_queue is not None
    seen.termination_schedule_queue["Policy"] = None


def _queue_untagged(seen: Survey) -> None:
    assert seen.termination_schedule_queue is not None
    seen.termination_schedule_queue["tags"] = {}


def _operator_gone(seen: Survey) -> None:
    del seen.people[NAMES.people[0]]


def _operator_edited(seen: Survey) -> None:
    seen.people[NAMES.people[0]].document["Statement"].append({"Sid": "More", "Effect": "Allow", "Action": "*"})


def _monitor_untagged(seen: Survey) -> None:
    seen.people[NAMES.people[-1]].tags.clear()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_second_vpc, "2 VPCs are tagged"),
        (_one_zone, "1 availability zone"),
        (_private_subnet, "assigns no public address"),
        (_lost_association, "is not associated"),
        (_blackhole, "no working route to the internet gateway"),
        (_endpoint_elsewhere, "does not route S3 traffic to the gateway endpoint"),
        (_endpoint_of_another_region, "serves com.amazonaws.eu-west-1.s3"),
        (_ssh_open, "has inbound rules from elsewhere"),
        (_another_group_let_in, "has inbound rules from elsewhere"),
        (_each_alone, "does not let the instances of a run reach each other"),
        (_all_egress, "not TCP 443 and its own instances alone"),
        (_public_bucket, "public access block"),
        (_no_tls, "has policy None"),
        (_lifecycle_gone, "has lifecycle None"),
        (_administrator, "AdministratorAccess"),
        (_wider_policy, "which are not what it needs"),
        (_trusts_others, "not by ec2.amazonaws.com alone"),
        (_empty_profile, "holds no role"),
        (_stale_parameter, "says vpc-of-last-year"),
        (_guard_role_gone, f"The role {NAMES.termination_schedule_role} does not exist"),
        (_guard_for_all_accounts, "Schedules of other accounts may use the role"),
        (
            _guard_ends_everything,
            f"The role {NAMES.termination_schedule_role} has the inline policies training-guard, which are not what it needs",
        ),
        (
            _no_guard_group,
            f"schedule group {NAMES.termination_schedule_group} of the termination schedules does not exist",
        ),
        (_no_guard_queue, f"queue {NAMES.termination_schedule_queue} of the termination schedules does not exist"),
        (_queue_in_clear, f"queue {NAMES.termination_schedule_queue} is not encrypted"),
        (_queue_without_tls, f"queue {NAMES.termination_schedule_queue} accepts requests without TLS"),
        (_queue_untagged, f"queue {NAMES.termination_schedule_queue} lacks the mandatory tags"),
        (_operator_gone, f"policy {NAMES.people[0]} does not exist"),
        (
            _operator_edited,
            f"policy {NAMES.people[0]} differs from what it should allow: More was added. The intended policy",
        ),
        (_monitor_untagged, f"policy {NAMES.people[-1]} lacks the mandatory tags"),
        (_untagged, "igw-1 lacks the mandatory tags"),
    ],
)
def test_each_broken_property_is_named(spoil: Callable[[Survey], Any], said: str) -> None:
    seen = right()
    spoil(seen)
    assert any(said in sentence for sentence in judge(seen)), judge(seen)


def test_an_empty_account_is_described_without_a_crash() -> None:
    said = " ".join(judge(Survey()))
    assert "0 VPCs are tagged" in said and f"The bucket {NAMES.bucket} does not exist" in said


def test_a_state_file_or_a_living_instance_is_an_active_run() -> None:
    instance = Instance("i-1", "running", "20260101-120000", "g4dn.2xlarge", "us-east-1a", "2026-01-01T12:00:00Z")
    assert active_run(right(), NAMES) == ""
    assert "s3://bucket-of-dev/dev/system-state.json" in active_run(replace(right(), has_state=True), NAMES)
    said = active_run(replace(right(), instances=[instance]), NAMES)
    assert "i-1 (running, run 20260101-120000)" in said and "make kill" in said


def test_the_table_says_what_is_missing_or_leaves_it_out() -> None:
    preview = render(rows(Survey(), NAMES, 3), "would be created").splitlines()
    assert len([line for line in preview if "would be created" in line]) == 19
    assert render(rows(Survey(), NAMES, 3), "") == "Nothing exists."
    whole = render(rows(right(), NAMES, 2), "missing")
    assert "missing" not in whole and "long-lived, holds data" in whole and "9 values" in whole


def test_what_aws_does_not_tell_everywhere_yet_is_read_again_and_said():
    told = [["The role has no policy.", "A parameter is missing."], ["A parameter is missing."], []]
    said: list[str] = []
    pauses: list[float] = []
    seen, wrong = checks.read_back(lambda: (Survey(), told.pop(0)), 30, said.append, pauses.append)
    assert wrong == [] and told == [] and seen == Survey()
    assert said == [
        "not as configured yet: The role has no policy. (and 1 more) AWS may need a few seconds; reading again",
        "not as configured yet: A parameter is missing. AWS may need a few seconds; reading again",
    ]
    assert pauses == [checks.PAUSE_SECONDS] * 2


def test_what_stays_wrong_is_reported_after_the_patience():
    wrong = ["The role has no policy."]
    assert checks.read_back(lambda: (Survey(), wrong), 0, print) == (Survey(), wrong)
