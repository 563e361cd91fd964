"""What botocore's models do not say, and AWS's documents do: a value beyond each rule is refused, one at its edge is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .strict_requests import answer

LIFECYCLE = {"ID": "runs", "Status": "Enabled", "Filter": {"Prefix": "a/"}}


def tags(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


def many(count: int) -> list[dict[str, str]]:
    return tags(*((f"k{number}", "v") for number in range(count)))


def bucket(name: str) -> tuple[str, str, dict[str, Any]]:
    return "s3", "CreateBucket", {"Bucket": name}


def bucket_tags(listed: list[dict[str, str]]) -> tuple[str, str, dict[str, Any]]:
    return "s3", "PutBucketTagging", {"Bucket": "a-bucket", "Tagging": {"TagSet": listed}}


def lifecycle(move: int, expire: int) -> tuple[str, str, dict[str, Any]]:
    transitions = [{"Days": move, "StorageClass": "STANDARD_IA"}]
    rule = {**LIFECYCLE, "Transitions": transitions, "Expiration": {"Days": expire}}
    given = {"Bucket": "a-bucket", "LifecycleConfiguration": {"Rules": [rule]}}
    return "s3", "PutBucketLifecycleConfiguration", given


def role(**more: Any) -> tuple[str, str, dict[str, Any]]:
    return "iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{}", **more}


def policy(size: int) -> tuple[str, str, dict[str, Any]]:
    return "iam", "CreatePolicy", {"PolicyName": "p", "PolicyDocument": "x " * size}


def inline(size: int) -> tuple[str, str, dict[str, Any]]:
    return "iam", "PutRolePolicy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "x" * size}


def launch(**more: Any) -> tuple[str, str, dict[str, Any]]:
    return "ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, **more}


def user_data(size: int) -> tuple[str, str, dict[str, Any]]:
    return launch(UserData=base64.b64encode(b"a" * size).decode())


def volume(size: int) -> tuple[str, str, dict[str, Any]]:
    return launch(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": size, "VolumeType": "gp3"}}])


def vpc(listed: list[dict[str, str]], cidr: str = "10.0.0.0/16") -> tuple[str, str, dict[str, Any]]:
    return "ec2", "CreateVpc", {"CidrBlock": cidr, "TagSpecifications": [{"ResourceType": "vpc", "Tags": listed}]}


def group(name: str, description: str) -> tuple[str, str, dict[str, Any]]:
    return "ec2", "CreateSecurityGroup", {"GroupName": name, "Description": description}


def rule(description: str) -> tuple[str, str, dict[str, Any]]:
    ends = [{"CidrIp": "0.0.0.0/0", "Description": description}]
    given = {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "IpRanges": ends}]}
    return "ec2", "AuthorizeSecurityGroupEgress", given


def parameter(name: str, value: str = "v", **more: Any) -> tuple[str, str, dict[str, Any]]:
    return "ssm", "PutParameter", {"Name": name, "Value": value, **more}


def queue(name: str, seconds: str = "60", **more: Any) -> tuple[str, str, dict[str, Any]]:
    return "sqs", "CreateQueue", {"QueueName": name, "Attributes": {"MessageRetentionPeriod": seconds}, **more}


def schedule(text: str) -> tuple[str, str, dict[str, Any]]:
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "Input": text}
    target["RoleArn"] = "arn:aws:iam::123456789012:role/r"
    given = {"ScheduleExpression": "at(2030-01-01T00:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    return "scheduler", "CreateSchedule", {"Name": "n", "Target": target, **given}


BAD_NAMES = (
    "Team_Forecasts", "10.20.30.40", "ab", "a" * 64, "-ab", "ab-", "a..b", "xn--ab", "sthree-a", "ab-s3alias", "ab--x-s3"
)  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        *((bucket(name), "InvalidBucketName") for name in BAD_NAMES),
        (("s3", "PutObject", {"Bucket": "a-bucket", "Key": "k" * 1025}), "KeyTooLongError"),
        (("s3", "PutBucketPolicy", {"Bucket": "a-bucket", "Policy": "x" * 20_481}), "PolicyTooLarge"),
        (bucket_tags(tags(("CostCenter", "R&D; Ops <x>"))), "InvalidTag"),
        (bucket_tags(tags(("aws:x", "y"))), "InvalidTag"),
        (bucket_tags(tags(("a", "1"), ("a", "2"))), "InvalidTag"),
        (bucket_tags(many(51)), "TooManyTags"),
        (lifecycle(29, 90), "InvalidArgument"),
        (lifecycle(30, 30), "InvalidArgument"),
        (role(Tags=tags(("Team", "a"), ("team", "b"))), "InvalidInput"),
        (policy(6145), "LimitExceeded"),
        (inline(10_241), "LimitExceeded"),
        (role(AssumeRolePolicyDocument="x" * 2049), "LimitExceeded"),
        (user_data(16_385), "InvalidParameterValue"),
        (launch(UserData="not base64"), "InvalidUserData.Malformed"),
        (volume(0), "InvalidParameterValue"),
        (volume(65_537), "InvalidParameterValue"),
        (vpc(many(51)), "InvalidParameterValue"),
        (vpc(tags(("k" * 129, "v"))), "InvalidParameterValue"),
        (vpc(tags(("k", "v" * 257))), "InvalidParameterValue"),
        (vpc([], "127.0.0.0/16"), "InvalidVpc.Range"),
        (group("sg-a", "a"), "InvalidParameterValue"),
        (group("a", "Größe"), "InvalidParameterValue"),
        (group("a", "x" * 256), "InvalidParameterValue"),
        (rule("a > b"), "InvalidParameterValue"),
        (parameter("/aws/mine"), "ValidationException"),
        (parameter("/a b"), "ValidationException"),
        (parameter("/a/"), "ValidationException"),
        (parameter("/a" * 16), "HierarchyLevelLimitExceededException"),
        (parameter("/a", "x" * 4097), "ValidationException"),
        (queue("a b"), "InvalidParameterValue"),
        (queue("a", tags={"k": "R&D"}), "InvalidParameterValue"),
        (queue("a", "59"), "InvalidAttributeValue"),
        (schedule("{"), "ValidationException"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}-{value[1]}",
)
def test_beyond_the_rule(request_: tuple[str, str, dict[str, Any]], code: str) -> None:
    assert answer(*request_) == code


@pytest.mark.parametrize(
    "request_",
    [
        bucket("abc"),
        bucket("chronos-training-local-123456789012-us-east-1"),
        bucket("a" * 63),
        bucket("10.20.30"),
        bucket_tags(tags(("Größe", "a_b.c:d/e=f+g-h@i 1"))),
        lifecycle(30, 31),
        policy(6144),
        inline(10_240),
        user_data(16_384),
        volume(65_536),
        vpc(many(50)),
        vpc(tags(("k", "R&D <x>"))),  # EC2 alone takes any character
        group("a-b", "a b, (c): 1/2 #3"),
        parameter("/chronos-training/local/vpc_id"),
        parameter("/a" * 15),
        queue("q" * 80, "1209600"),
        schedule(json.dumps({"InstanceIds": ["i-1"]})),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}",
)
def test_at_its_edge(request_: tuple[str, str, dict[str, Any]]) -> None:
    assert answer(*request_) == ""
