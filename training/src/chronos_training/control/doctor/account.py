"""Who calls, and the settings of the account and region that every launch meets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.clock import duration
from chronos_training.core.errors import TrainingError

from .check_result import CheckResult, note, ok, stop, unseen

# How botocore calls where it found the credentials.
_SOURCES = {
    "env": "keys in the environment",
    "shared-credentials-file": "keys in the credentials file",
    "config-file": "keys in the configuration file",
    "sso": "signed in with SSO",
    "login": "signed in with aws login",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "an assumed role",
    "iam-role": "the role of this machine",
    "container-role": "the role of this container",
    "custom-process": "a program that provides keys",
}
# GetAccountPlanState is answered in one region for all.
PLAN_REGION = "us-east-1"
AWS_OWN_KEY = "alias/aws/ebs"
# What EC2 does with the key of a volume in the name of whoever launches.
KEY_ACTIONS = "kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt*"
_EXCLUDED = ("create-complete", "update-complete")


def who(account_id: str, arn: str, region: str) -> CheckResult:
    """Return which account the commands work in, and as whom."""
    name = arn.split(":", 5)[-1]
    text = f"{account_id} in {region}, as {name}"
    if name == "root":
        return note("account", f"{text}: the root user, who may do everything; a user or role is safer")
    return ok("account", text)


def credentials() -> CheckResult:
    """Return what kind the credentials are and how long they hold."""
    with aws.explained("find your AWS credentials"):
        found = aws.session().get_credentials()
    method = str(getattr(found, "method", ""))
    source = _SOURCES.get(method, method or "keys")
    until = getattr(found, "_expiry_time", None)  # botocore has no public name for it
    if isinstance(until, datetime):
        left = (until - datetime.now(timezone.utc)).total_seconds()
        return ok("credentials", f"{source}, until {until:%Y-%m-%d %H:%M} UTC, {duration(left)} from now")
    if getattr(found, "token", None):
        return ok("credentials", f"{source}, temporary, with unknown expiry. A run does not need them after its launch")
    return ok("credentials", f"{source}, which do not expire")


def plan() -> CheckResult:
    """Return whether the account's plan lets it start what training needs."""
    name = "account plan"
    client = aws.client("freetier", region=PLAN_REGION)
    try:
        with aws.explained("look at the account's plan"):
            try:
                kind = str(client.get_account_plan_state()["accountPlanType"])
            except ClientError as error:
                if aws.error_code(error) == "ResourceNotFoundException":
                    return ok(name, "none; accounts older than July 2025 have no plan")
                raise
    except TrainingError as error:  # nobody needs this answer: the request below tells the same
        return unseen(name, error)
    if kind == "FREE":
        return stop(
            name,
            "the free plan, which refuses every instance type large enough to train on. Choose the paid plan: AWS "
            "console, Billing and Cost Management, Upgrade plan. You keep your credits.",
        )
    return ok(name, kind.lower())


def volume_key(ec2: EC2Client, region: str) -> CheckResult:
    """Return whose key encrypts the volumes: ours name none, so it is the account's default."""
    name = "volume key"
    try:
        with aws.explained("find the default encryption key of volumes"):
            key = str(ec2.get_ebs_default_kms_key_id()["KmsKeyId"])
        if key.endswith(AWS_OWN_KEY) or _is_amazons(key, region):
            return ok(name, "AWS's own, which needs no permission")
    except TrainingError as error:
        return unseen(name, error)
    return note(
        name,
        f"new volumes are encrypted with your own key, {key}. The launching user needs {KEY_ACTIONS} on it, or EC2 "
        "terminates the instance at once (Client.InternalError). Allow that in the key's policy, or go back to "
        f"AWS's key: aws ec2 reset-ebs-default-kms-key-id --region {region}",
    )


def _is_amazons(key: str, region: str) -> bool:
    with aws.explained(f"see whose key {key} is"):
        found = aws.client("kms", region=region).describe_key(KeyId=key)
    return str(found["KeyMetadata"]["KeyManager"]) == "AWS"


def public_access(ec2: EC2Client, vpc_id: str | None, subnet_ids: tuple[str, ...], region: str) -> CheckResult:
    """Return whether the account lets instances out through an internet gateway: public subnets have no other way."""
    name = "public access"
    try:
        with aws.explained("find out whether VPCs are closed to the internet"):
            options = ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]
            mode = str(options.get("InternetGatewayBlockMode", "off"))
            if mode == "off":
                return ok(name, "not blocked for VPCs")
            excluded = _excluded(ec2, mode)
    except TrainingError as error:
        return unseen(name, error)
    ours = {f"vpc/{vpc_id}"} if vpc_id else set()
    if ours & excluded or (subnet_ids and {f"subnet/{one}" for one in subnet_ids} <= excluded):
        return ok(name, f"blocked for VPCs ({mode}), but ours is excluded")
    which = vpc_id or "vpc-…, once it is provisioned"
    return stop(
        name,
        f"this account blocks public access of VPCs ({mode}): an instance could not reach AWS services, and its "
        "termination schedule would stay. Exclude our VPC, which allows no inbound traffic: aws ec2 "
        "create-vpc-block-public-access-exclusion --internet-gateway-exclusion-mode allow-bidirectional --region "
        f"{region} --vpc-id {which}",
    )


def _excluded(ec2: EC2Client, mode: str) -> set[str]:
    """Return the VPCs and subnets, as vpc/… and subnet/…, that may reach the internet in spite of `mode`."""
    # allow-egress is an exclusion from block-bidirectional alone.
    enough = {"allow-bidirectional"} | ({"allow-egress"} if mode == "block-bidirectional" else set())
    every: list[Mapping[str, Any]] = []
    more: dict[str, Any] = {}
    while True:  # botocore has no paginator for it
        page = ec2.describe_vpc_block_public_access_exclusions(**more)
        every += page["VpcBlockPublicAccessExclusions"]
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    return {
        str(one["ResourceArn"]).split(":", 5)[-1]
        for one in every
        if one["State"] in _EXCLUDED and one["InternetGatewayExclusionMode"] in enough
    }
