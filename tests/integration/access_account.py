"""An account to try policies in: what is ours, what is another environment's and another project's, and calls on it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.policies import Deployment, Json, make_roles

ACCOUNT = "123456789012"
BUCKET = f"chronos-training-local-{ACCOUNT}-us-east-1"
DEPLOYMENT = Deployment(BUCKET)
PROJECT, ENV = "Chronos-Training", "local"
GROUP = "chronos-training-local"
PROFILE = f"{GROUP}-instance"
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
ENDING = {
    "instance": ("terminate_instances", "InstanceIds"),
    "volume": ("delete_volume", "VolumeId"),
    "snapshot": ("delete_snapshot", "SnapshotId"),
    "interface": ("delete_network_interface", "NetworkInterfaceId"),
    "address": ("release_address", "AllocationId"),
    "spot request": ("cancel_spot_instance_requests", "SpotInstanceRequestIds"),
}
Call = tuple[str, str, dict[str, Any]]


def tags(project: str = PROJECT, env: str = ENV) -> list[dict[str, str]]:
    return [{"Key": "Project", "Value": project}, {"Key": "Environment", "Value": env}]


def spec(kind: str, wanted: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": wanted}]


class Account:
    """An environment, and beside it what is of another environment and of another project."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        ec2, s3, iam, scheduler = (aws.client(name) for name in ("ec2", "s3", "iam", "scheduler"))
        s3.create_bucket(Bucket=BUCKET)
        make_roles(iam, DEPLOYMENT)
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="admin")
        iam.add_role_to_instance_profile(InstanceProfileName="admin", RoleName="admin")
        for env in (ENV, "prod"):
            scheduler.create_schedule_group(Name=f"chronos-training-{env}", Tags=tags(env=env))
        self.queues = {
            env: aws.client("sqs").create_queue(QueueName=f"chronos-training-{env}-guard-dlq")["QueueUrl"]
            for env in (ENV, "prod")
        }
        # Named own, other_env and other_project.
        owners = {"own": tags(), "other_env": tags(env="prod"), "other_project": tags("Another")}
        self.things: dict[tuple[str, str], str] = {}
        self.groups: dict[str, str] = {}
        self.subnet, self.foreign_subnet = (s["SubnetId"] for s in ec2.describe_subnets()["Subnets"][:2])
        ec2.create_tags(Resources=[self.subnet], Tags=tags())
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        for who, wanted in owners.items():
            self._make(who, wanted)
            self.groups[who] = ec2.create_security_group(
                GroupName=who, Description=who, VpcId=vpc, TagSpecifications=spec("security-group", wanted)
            )["GroupId"]
        self._users = 0

    def user(self, policy: Json) -> dict[str, str]:
        """Return the keys of a new user with this policy alone."""
        self._users += 1
        return self.aws.new_user(f"user{self._users}", only=policy)

    def change(self, policy: Json) -> None:
        """Let the newest user have this policy instead."""
        self.aws.change_policy(f"arn:aws:iam::{ACCOUNT}:policy/user{self._users}-only", policy)

    def store(self, calls: list[Call]) -> None:
        """Store what the calls read: an absent key is a 403 to whoever may list only below a prefix."""
        for _, operation, arguments in calls:
            if operation == "get_object":
                self.aws.client("s3").put_object(**arguments, Body=b"{}")

    def refuses(self, keys: dict[str, str], call: Call) -> bool:
        """Return whether the call is refused to these keys; that it fails for another reason is not a refusal."""
        service, operation, arguments = call
        try:
            getattr(self.aws.client(service, credentials=keys), operation)(**copy.deepcopy(arguments))
        except ClientError as error:
            return str(error.response["Error"]["Code"]) in REFUSALS
        return False

    # Calls.

    def launch(self, *, wanted: list[dict[str, str]] | None = None, **changes: Any) -> Call:
        """A launch as ours is."""
        kinds = ("instance", "volume", "network-interface")
        ours = {
            "MinCount": 1, "MaxCount": 1, "ImageId": "ami-0a7d80731ae1b2435", "InstanceType": "c5.large", "DryRun": True,
            "IamInstanceProfile": {"Name": PROFILE}, "SubnetId": self.subnet, "SecurityGroupIds": [self.groups["own"]],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}],
            "TagSpecifications": [one for kind in kinds for one in spec(kind, tags() if wanted is None else wanted)],
        }  # fmt: skip
        return ("ec2", "run_instances", ours | changes)

    def schedule(self, group: str = GROUP, role: str = f"{GROUP}-scheduler") -> Call:
        target = {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "Input": "{}"}
        target["RoleArn"] = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        arguments = {"Name": f"{GROUP}-1", "GroupName": group, "ScheduleExpression": "at(2030-01-01T00:00:00)"}
        return ("scheduler", "create_schedule", {**arguments, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target})

    def end(self, what: str, whose: str) -> Call:
        """A call that ends something that exists; dry, so that it can be made again."""
        operation, parameter = ENDING[what]
        identity: Any = self.things[what, whose]
        listed = parameter.endswith("Ids")
        return ("ec2", operation, {parameter: [identity] if listed else identity, "DryRun": True})

    def _make(self, whose: str, wanted: list[dict[str, str]]) -> None:
        ec2 = self.aws.client("ec2")
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=spec("volume", wanted))
        snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"], TagSpecifications=spec("snapshot", wanted))
        interface = ec2.create_network_interface(
            SubnetId=self.subnet, TagSpecifications=spec("network-interface", wanted)
        )
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=spec("elastic-ip", wanted))
        spot = ec2.request_spot_instances(
            InstanceCount=1,
            LaunchSpecification={"ImageId": "ami-0a7d80731ae1b2435", "InstanceType": "c5.large"},
            TagSpecifications=spec("spot-instances-request", wanted),
        )
        for what, identity in {
            "instance": self.aws.launch(TagSpecifications=spec("instance", wanted)),
            "volume": volume["VolumeId"],
            "snapshot": snapshot["SnapshotId"],
            "interface": interface["NetworkInterface"]["NetworkInterfaceId"],
            "address": address["AllocationId"],
            "spot request": spot["SpotInstanceRequests"][0]["SpotInstanceRequestId"],
        }.items():
            self.things[what, whose] = identity


def on(key: str, operation: str, **more: Any) -> Call:
    return ("s3", f"{operation}_object", {"Bucket": BUCKET, "Key": key, **more})


def listing(**arguments: Any) -> Call:
    return ("s3", "list_objects_v2", {"Bucket": BUCKET, **arguments})


def abort(key: str) -> Call:
    return ("s3", "abort_multipart_upload", {"Bucket": BUCKET, "Key": key, "UploadId": "absent"})


def settings(env: str) -> Call:
    return ("ssm", "get_parameters_by_path", {"Path": f"/chronos-training/{env}/"})


def guard(operation: str, env: str = ENV) -> Call:
    return ("scheduler", operation, {"Name": f"{GROUP}-0", "GroupName": f"chronos-training-{env}"})


def group_tags(env: str) -> Call:
    arn = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/chronos-training-{env}"
    return ("scheduler", "list_tags_for_resource", {"ResourceArn": arn})


RUN = "local/runs/2026/01/01-010101/"


def reduced(policy: Json) -> Iterator[tuple[str, Json]]:
    """The policy without one statement, or without one of a statement's actions or resources, with words for it."""
    for number, statement in enumerate(policy["Statement"]):
        others = policy["Statement"][:number] + policy["Statement"][number + 1 :]
        yield statement["Sid"], {**policy, "Statement": others}
        for element in ("Action", "Resource"):
            values = statement[element]
            for value in values if isinstance(values, list) else []:
                less = {**statement, element: [one for one in values if one != value]}
                yield f"{statement['Sid']}: {value}", {**policy, "Statement": [*others, less]}


def taken_away_unnoticed(account: Account, whole: Json, calls: list[Call]) -> list[str]:
    """Return what could be taken from the policy without any of the calls being refused.

    The calls are tried with the whole policy first and last: what was refused in between was refused for want of
    permission, not because a call before it had ended the resource.
    """
    keys = account.user(whole)

    def refused(policy: Json) -> Iterator[str]:
        account.change(policy)
        account.store(calls)
        return (f"{service}.{operation} {arguments}" for service, operation, arguments in calls
                if account.refuses(keys, (service, operation, arguments)))  # fmt: skip

    assert list(refused(whole)) == []
    unnoticed = [what for what, less in reduced(whole) if not any(refused(less))]
    assert list(refused(whole)) == []
    return unnoticed
