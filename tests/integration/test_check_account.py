"""make doctor on an account with each fault injected: the finding that a person reads, and that nothing is left behind."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chronos_training.ansible.module import call
from chronos_training.control.doctor import account, image, own, rights, room
from chronos_training.control.doctor.check_result import CheckResult, Kind, lines
from chronos_training.control.doctor.examine import Asked, examine, stopping
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.options.settings import parameter_path, resolve_settings
from chronos_training.control.orphans.snapshot import Scope
from chronos_training.control.orphans.verify import verify
from chronos_training.control.provision import parameters
from chronos_training.core import aws as core_aws
from chronos_training.core import termination_schedule
from chronos_training.core.capacity import quota_of
from chronos_training.core.errors import TrainingError
from local_aws.testing import EmbeddedAws
from tests.integration.launch_account import (
    ACCOUNT,
    BUCKET,
    ENV,
    GUARD_ROLE,
    GUARD_ROLE_ARN,
    INSTANCE_ROLE,
    PROJECT,
    QUEUE_ARN,
    REGION,
    TAGS,
    LaunchAccount,
)
from tests.policies import Deployment, variables
from tests.protocol.test_probe import small_s3  # noqa: F401
from tests.unit.docs.pages import ROOT
from tests.unit.library.test_documentation import load

IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
GPU = "g4dn.2xlarge"
G_QUOTA = "L-DB2E81BA"
LAUNCH = ("config", "config_file", "instance_types", "device", "volume_gb", "image_parameter", "price_per_hour")


class Doctor:
    """An account as provisioning leaves it, and the person who looks at it."""

    def __init__(self, aws: EmbeddedAws, patch: pytest.MonkeyPatch) -> None:
        self.aws, self.patch = aws, patch
        aws.reset()
        self.account = LaunchAccount(aws, patch)
        self.ec2 = aws.client("ec2")
        settings = self.account.order().settings
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        mine = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        self.ec2.create_tags(Resources=[*settings.subnet_ids, settings.security_group_id], Tags=mine)
        self.settings = {
            "bucket": BUCKET,
            "vpc_id": vpc,
            "subnet_ids": ",".join(settings.subnet_ids),
            "security_group_id": settings.security_group_id,
            "instance_profile": INSTANCE_ROLE,
            "region": REGION,
            "guard_role_arn": GUARD_ROLE_ARN,
            "guard_queue_arn": QUEUE_ARN,
        }
        parameters.ensure_present(aws.client("ssm"), parameter_path(ENV), self.settings, TAGS, check_mode=False)
        rendered = variables("training_access", Deployment(BUCKET))["training_access_policies"]
        self.policies = [{**one, "policy": ast.literal_eval(one["policy"])} for one in rendered]
        self.everything: dict[str, Any] = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
        self.keys = aws.new_user("ada", all=self.everything)
        self.be_ada(self.everything)

    def be_ada(self, policy: dict[str, Any]) -> None:
        """Be a person with this policy alone."""
        self.aws.change_policy("arn:aws:iam::123456789012:policy/ada-all", {"Version": "2012-10-17", **policy})
        self.patch.setenv("AWS_ACCESS_KEY_ID", self.keys["AccessKeyId"])
        self.patch.setenv("AWS_SECRET_ACCESS_KEY", self.keys["SecretAccessKey"])
        self.patch.setattr(core_aws, "_session", None)

    def asked(self, *types: str, **launch: Any) -> Asked:
        request = LaunchRequest(
            env=ENV, region=REGION, project=PROJECT, config="birthdays_tiny_cpu", config_file=None,
            instance_types=types or (GPU,), device="cuda", volume_gb=100, image_parameter=IMAGE, price_per_hour=None,
            heartbeat_seconds=30, log_seconds=10, watch_seconds=20, git_commit="unknown",
        )  # fmt: skip
        caller = f"arn:aws:iam::{ACCOUNT}:user/ada"
        needed = tuple(one["name"] for one in self.policies if one["name"] == f"chronos-training-{ENV}-operator")
        return Asked(ENV, REGION, ACCOUNT, caller, TAGS, replace(request, **launch), self.policies, needed)

    def look(self, *types: str, **launch: Any) -> list[CheckResult]:
        return examine(self.asked(*types, **launch))


@pytest.fixture(scope="module")
def everyone(embedded_aws: EmbeddedAws) -> Iterator[Doctor]:
    with pytest.MonkeyPatch.context() as patch:
        yield Doctor(embedded_aws, patch)
    embedded_aws.inject()


@pytest.fixture
def doctor(everyone: Doctor) -> Iterator[Doctor]:
    everyone.aws.clear_faults()
    everyone.aws.inject()
    yield everyone
    # Whatever was injected: nothing of a check is left.
    assert everyone.account.guards() == []
    assert everyone.account.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{ENV}/.probe-").get("Contents", []) == []
    assert everyone.account.instances() == []


def told(findings: list[CheckResult], name: str) -> tuple[Kind, str]:
    """Return the most serious kind and all the text of the findings of a name."""
    mine = [one for one in findings if one.name == name]
    worst = next(
        (kind for kind in (Kind.STOP, Kind.NOTE, Kind.UNSEEN, Kind.LATER) if kind in {m.kind for m in mine}), Kind.OK
    )
    return worst, " | ".join(one.text for one in mine)


def test_a_healthy_account_has_one_line_for_each_check(doctor):
    found = doctor.look()
    names = ["account", "credentials", "account plan", "image", "zones", "quota", "volume key", "public access",
             "environment", "lock", "schedule", "launch plan", "request", "rights"]  # fmt: skip
    assert list(dict.fromkeys(one.name for one in found)) == names
    assert stopping(found) == []
    assert {one.name: one.kind for one in found if one.kind is not Kind.OK} == {"launch plan": Kind.LATER}
    assert told(found, "request")[1] == f"EC2 would start {GPU} in us-east-1a, us-east-1b, us-east-1c"
    assert told(found, "account")[1] == f"{ACCOUNT} in {REGION}, as user/ada"
    assert all(len(line) <= 98 for line in lines(found) if "s3://" not in line)


def test_before_provisioning_what_can_be_seen_is(doctor):
    ssm = doctor.aws.client("ssm")
    parameters.ensure_absent(ssm, parameter_path(ENV), check_mode=False)
    try:
        found = doctor.look()
    finally:
        parameters.ensure_present(ssm, parameter_path(ENV), doctor.settings, TAGS, check_mode=False)
    waiting = {"environment", "lock", "schedule", "launch plan", "request"}
    assert {one.name for one in found if one.kind is Kind.LATER} == waiting
    assert told(found, "lock")[1] == "after make provision"
    assert told(found, "zones") == (Kind.OK, f"{GPU} is offered in us-east-1a, us-east-1b, us-east-1c")


def test_a_quota_of_nothing_stops_and_says_what_to_ask_for(doctor):
    doctor.aws.inject(quotas={G_QUOTA: 0})
    kind, text = told(doctor.look(), "quota")
    assert kind is Kind.STOP
    assert (
        "'Running On-Demand G and VT instances': 0 vCPUs, 0 in use; g4dn.2xlarge needs 8. Ask AWS for 8 or more" in text
    )
    assert (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {G_QUOTA} --desired-value 8"
        in text
    )
    # A launch goes on to a type of another quota.
    kind, text = told(doctor.look(GPU, "m5.large"), "quota")
    assert kind is Kind.NOTE and "256 vCPUs, 0 in use; m5.large needs 2" in text


def test_an_instance_on_its_way_out_still_counts(doctor):
    raw = [{"InstanceId": "i-1", "InstanceType": GPU, "State": {"Name": "shutting-down"}}]
    found = room._judge(quota_of(GPU), 8.0, raw, {GPU: 8}, [GPU], 1, REGION)
    assert found.kind is Kind.STOP
    assert "8 vCPUs, 8 in use; g4dn.2xlarge needs 8. i-1 is still shutting down, which takes minutes" in found.text


def test_a_zone_that_does_not_offer_the_type(doctor):
    doctor.aws.inject(not_offered=[f"{GPU} in us-east-1b"])
    found = doctor.look()
    assert told(found, "zones") == (
        Kind.NOTE,
        f"{GPU} is offered in us-east-1a, us-east-1c, not in us-east-1b; a launch tries the other zones",
    )
    assert told(found, "request") == (
        Kind.NOTE,
        f"EC2 would start {GPU} in us-east-1a, us-east-1c; not in us-east-1b: this zone does not offer the type",
    )
    doctor.aws.inject(not_offered=[f"{GPU} in us-east-1{zone}" for zone in "abcdef"])
    found = doctor.look()
    assert stopping(found) == ["zones", "request"]
    assert "is offered in none of our zones (in this region: nowhere)" in told(found, "zones")[1]


def test_the_free_plan_refuses_every_type(doctor):
    doctor.aws.inject(account_plan="FREE")
    found = doctor.look()
    assert stopping(found) == ["account plan", "request"]
    assert "the free plan, which refuses every instance type large enough" in told(found, "account plan")[1]
    assert f"free plan, which allows only small instance types and not {GPU}" in told(found, "request")[1]


def test_the_command_fails_with_what_would_stop_a_launch_and_has_changed_nothing(doctor):
    doctor.aws.inject(account_plan="FREE")
    asked, said = doctor.asked(), []
    launch = {name: getattr(asked.launch, name) for name in LAUNCH}
    params = {**launch, "env": ENV, "region": REGION, "project": PROJECT, "account_id": ACCOUNT, "caller": asked.caller,
              "tags": TAGS, "policies": asked.policies, "needed_policies": list(asked.needed_policies)}  # fmt: skip
    result = call(load(ROOT / "library/training_account_check.py").run, params, check_mode=False, emit=said.append)
    assert (result["failed"], result["changed"], result["done"]) == (True, False, [])
    assert result["msg"].startswith(f"A launch in {ENV} would be stopped by: account plan, request.")
    assert any(line.split()[:3] == ["STOP", "account", "plan"] for line in said)


def test_an_account_older_than_the_plans_has_none(doctor):
    doctor.aws.fault("GetAccountPlanState", "ResourceNotFoundException")
    assert account.plan().text == "none; accounts older than July 2025 have no plan"


def test_credentials_that_have_expired_are_said_before_anything_else(doctor):
    doctor.aws.fault("GetCallerIdentity", "ExpiredToken", status=403)
    module = load(ROOT / "library/training_account_info.py")
    with pytest.raises(TrainingError, match="your AWS credentials have expired"):
        module.run({"env": ENV, "region": REGION, "bucket": ""}, check_mode=False, emit=print)


def test_a_type_that_does_not_exist(doctor):
    found = doctor.look("g4dn.2xlage")
    assert told(found, "quota") == (Kind.UNSEEN, "EC2 in us-east-1 has no instance type g4dn.2xlage")
    assert "zones" in stopping(found)


def test_an_assumed_role_is_simulated_as_its_role(doctor):
    iam = doctor.aws.client("iam")
    role = iam.create_role(RoleName="trainer", Path="/people/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/trainer/ada"
    assert rights._source(core_aws.client("iam", region=REGION), session) == role
    doctor.aws.fault("GetRole", "AccessDenied", status=403)
    assert rights._source(core_aws.client("iam", region=REGION), session) == f"arn:aws:iam::{ACCOUNT}:role/trainer"
    policy = doctor.policies[0]
    [found] = rights.rights(session, REGION, [policy], [policy["name"]], provisioned=True)
    assert found.kind is Kind.STOP and "missing ssm:GetParametersByPath (ReadSettings)" in found.text
    assert "aws iam attach-role-policy --role-name trainer" in found.text


def test_an_image_that_is_missing_or_too_large(doctor):
    seen, found = image.image(REGION, "/aws/service/deeplearning/ami/none", 100)
    assert seen is None and found.kind is Kind.STOP
    assert "us-east-1 has no SSM parameter /aws/service/deeplearning/ami/none" in found.text
    seen, found = image.image(REGION, IMAGE, 8)
    assert found.kind is Kind.STOP and "and training_launch_volume_gb is 8. Set" in found.text
    doctor.aws.fault("DescribeImages", "InvalidAMIID.NotFound")
    _, found = image.image(REGION, IMAGE, 100)
    assert found.kind is Kind.STOP and "names an image that us-east-1 does not have" in found.text


def test_an_endpoint_that_ignores_conditions(doctor, small_s3, monkeypatch):  # noqa: F811
    server = small_s3("PUT If-None-Match")
    settings = resolve_settings(ENV, region=REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(core_aws, "_session", None)
    found = own.lock(settings)
    assert found.kind is Kind.STOP
    assert "ignores If-None-Match on PUT: two runs could hold the lock at once" in found.text


def test_a_schedule_that_is_refused(doctor):
    iam = doctor.aws.client("iam")
    trust = iam.get_role(RoleName=GUARD_ROLE)["Role"]["AssumeRolePolicyDocument"]
    distrust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    iam.update_assume_role_policy(RoleName=GUARD_ROLE, PolicyDocument=json.dumps(distrust))
    try:
        found = own.schedule(resolve_settings(ENV, region=REGION))
    finally:
        iam.update_assume_role_policy(RoleName=GUARD_ROLE, PolicyDocument=json.dumps(trust))
    assert found.kind is Kind.STOP
    assert f"EventBridge Scheduler may not assume its role {GUARD_ROLE_ARN}" in found.text


def test_a_role_that_may_not_be_passed(doctor):
    deny = {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"}
    doctor.be_ada({"Statement": [*doctor.everything["Statement"], deny]})
    try:
        found = doctor.look()
    finally:
        doctor.be_ada(doctor.everything)
    assert stopping(found) == ["schedule", "request", "rights"]
    assert f"may not iam:PassRole on {GUARD_ROLE_ARN}" in told(found, "schedule")[1]
    assert "iam:PassRole (PassTheInstanceRole)" in told(found, "rights")[1]


def test_a_default_key_of_the_account(doctor):
    own_key = doctor.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    doctor.ec2.modify_ebs_default_kms_key_id(KmsKeyId=own_key)
    try:
        found = account.volume_key(doctor.ec2, REGION)
    finally:
        doctor.ec2.modify_ebs_default_kms_key_id(KmsKeyId="")  # AWS's own, as moto takes it
    assert found.kind is Kind.NOTE and own_key in found.text and "kms:CreateGrant" in found.text
    assert account.volume_key(doctor.ec2, REGION).kind is Kind.OK


@pytest.mark.parametrize(("mode", "enough"), [("block-bidirectional", True), ("block-ingress", False)])
def test_vpcs_that_are_closed_to_the_internet(doctor, mode, enough):
    doctor.ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode=mode)
    vpc, nobody = doctor.settings["vpc_id"], ("subnet-0",)
    try:
        found = account.public_access(doctor.ec2, vpc, nobody, REGION)
        assert found.kind is Kind.STOP
        assert f"this account blocks public access of VPCs ({mode})" in found.text and f"--vpc-id {vpc}" in found.text
        other = account.public_access(doctor.ec2, "vpc-other", nobody, REGION)
        doctor.ec2.create_vpc_block_public_access_exclusion(
            VpcId="vpc-other", InternetGatewayExclusionMode="allow-egress"
        )
        assert (account.public_access(doctor.ec2, "vpc-other", nobody, REGION).kind is Kind.OK) == enough
        assert other.kind is Kind.STOP
    finally:
        doctor.ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="off")


def test_an_operator_sees_all_but_what_takes_an_administrator(doctor):
    operator = next(one for one in doctor.policies if one["name"].endswith("-operator"))
    doctor.be_ada(operator["policy"])
    try:
        found = doctor.look()
    finally:
        doctor.be_ada(doctor.everything)
    assert stopping(found) == []
    assert told(found, "request")[0] is Kind.OK


def test_a_right_that_is_missing_is_named_with_the_policy_that_gives_it(doctor):
    operator = next(one for one in doctor.policies if one["name"].endswith("-operator"))
    less = [one for one in operator["policy"]["Statement"] if one["Sid"] != "TagAtLaunch"]
    simulate = {"Effect": "Allow", "Action": ["iam:SimulatePrincipalPolicy", "ec2:Describe*"], "Resource": "*"}
    doctor.be_ada({"Statement": [*less, simulate]})
    try:
        found = doctor.look()
    finally:
        doctor.be_ada(doctor.everything)
    assert stopping(found) == ["request", "rights"]
    assert "ec2:CreateTags" in told(found, "request")[1]
    assert "missing ec2:CreateTags (TagAtLaunch)" in told(found, "rights")[1]
    assert "aws iam attach-user-policy --user-name ada --policy-arn" in told(found, "rights")[1]


def test_what_may_not_be_looked_at_stops_nothing(doctor):
    looks = ("GetServiceQuota", "GetAccountPlanState", "DescribeImages", "DescribeInstanceTypeOfferings", "GetEbsDefaultKmsKeyId",
             "DescribeVpcBlockPublicAccessOptions", "SimulatePrincipalPolicy")  # fmt: skip
    for action in looks:
        doctor.aws.fault(action, "AccessDeniedException", status=400, times=None)
    found = doctor.look()
    assert stopping(found) == []
    seen = {one.name for one in found if one.kind is Kind.UNSEEN}
    assert seen == {"account plan", "image", "zones", "quota", "volume key", "public access", "rights"}


def test_check_mode_makes_nothing(doctor):
    doctor.aws.forget_requests()
    found = examine(replace(doctor.asked(), dry=True))
    assert [one.name for one in found if "check mode" in one.text] == ["lock", "schedule"]
    made = {r["operation"] for r in doctor.aws.requests()} & {"s3.PutObject", "scheduler.CreateSchedule"}
    assert made == set()


def test_a_schedule_that_was_left_behind_is_an_orphan(doctor):
    doctor.aws.fault("DeleteSchedule", "AccessDeniedException", status=403, times=None)
    found = own.schedule(resolve_settings(ENV, region=REGION))
    assert found.kind is Kind.STOP and "delete the termination schedule" in found.text
    doctor.aws.clear_faults()
    verdict = verify(Scope(ENV, PROJECT, REGION, (REGION,), BUCKET), 0.0, lambda line: None)
    [orphan] = verdict.orphans
    assert orphan.resource.kind == "schedule" and own.NO_INSTANCE in orphan.resource.detail
    [left] = doctor.account.guards()
    termination_schedule.cancel(doctor.account.scheduler, ENV, left.run_id, left.number)
