"""An account in which control.launch works, made with boto3 in a second: bucket, identities, guard, three subnets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chronos_training.control.launch.launch import LaunchSpec, launch
from chronos_training.control.options.settings import Settings
from chronos_training.control.provision import schedule_group
from chronos_training.core import aws as core_aws
from chronos_training.core import layout, termination_schedule
from chronos_training.core.record import RunRecord
from chronos_training.core.run_spec import ImageSpec, InstanceSpec, LimitsSpec, RunSpec
from chronos_training.core.store import Observed, open_store
from local_aws.moto_gaps.public_parameters import UBUNTU
from tests.policies import Deployment, make_roles
from tests.run_specs import run_spec

ENV, PROJECT, REGION, ACCOUNT = "local", "Chronos-Training", "us-east-1", "123456789012"
BUCKET = layout.bucket_name(ENV, ACCOUNT, REGION)
INSTANCE_ROLE, GUARD_ROLE = f"chronos-training-{ENV}-instance", f"chronos-training-{ENV}-scheduler"
QUEUE = f"chronos-training-{ENV}-guard-dlq"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"
GUARD_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{GUARD_ROLE}"
TAGS = {"Project": PROJECT, "Environment": ENV, "CostCenter": "research", "ManagedBy": "Ansible"}
RUN = "20260102-030405"
# Valid, and of no use: nothing on the instance ever claims the run or shuts the machine down.
DEAF_USER_DATA = "#!/bin/sh\ntrue\n"


class LaunchAccount:
    """The account, an order, and eyes. `lines` is what the launch said."""

    def __init__(self, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        for name, value in aws.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(core_aws, "_session", None)
        self.s3, self.ec2, self.scheduler, self.sqs = (aws.client(n) for n in ("s3", "ec2", "scheduler", "sqs"))
        self.s3.create_bucket(Bucket=BUCKET)
        make_roles(aws.client("iam"), Deployment(BUCKET, ENV, PROJECT, REGION, ACCOUNT))
        clients = schedule_group.Clients(self.scheduler, self.sqs)
        want = schedule_group.wanted(QUEUE_ARN, TAGS)
        schedule_group.ensure_present(clients, termination_schedule.group_name(ENV), QUEUE, want, check_mode=False)
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in subnets if s["AvailabilityZone"][-1] in "abc"}
        self.store = open_store(BUCKET, ENV, region=REGION)
        self.lines: list[str] = []

    def order(self, *, user_data: str = DEAF_USER_DATA, **changes: Any) -> LaunchSpec:
        """Return an order of one type in three zones, with a deadline far away.

        `changes` are run_id, instance_types, instances and deadline_seconds.
        """
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
        settings = Settings(
            env=ENV,
            region=REGION,
            bucket=BUCKET,
            vpc_id=vpc,
            subnet_ids=tuple(self.subnets[zone] for zone in sorted(self.subnets)),
            security_group_id=groups[0]["GroupId"],
            instance_profile=INSTANCE_ROLE,
            guard_role_arn=GUARD_ROLE_ARN,
            guard_queue_arn=QUEUE_ARN,
        )
        return LaunchSpec(self.run_spec(**changes), settings, PROJECT, "/dev/sda1", TAGS, user_data)

    def run_spec(
        self,
        run_id: str = RUN,
        instance_types: tuple[str, ...] = ("g4dn.2xlarge",),
        instances: int = 1,
        deadline_seconds: float = 3600.0,
    ) -> RunSpec:
        instance = InstanceSpec(
            instance_types, instance_types[0], count=instances, image=ImageSpec(UBUNTU), volume_gb=10
        )
        training = {"name": "mine", "run": {"instances": instances}}
        return run_spec(run_id, training=training, instance=instance, limits=LimitsSpec(deadline_seconds))

    def launch(self, **changes: Any) -> RunRecord:
        return launch(self.order(**changes), self.lines.append)

    def guards(self) -> list[termination_schedule.TerminationSchedule]:
        return termination_schedule.list_schedules(self.scheduler, ENV)

    def lock(self) -> Observed | None:
        return self.store.read()

    def instances(self) -> list[dict[str, Any]]:
        """Return every instance there ever was, whatever its tags."""
        pages = self.ec2.get_paginator("describe_instances").paginate()
        return [i for page in pages for r in page["Reservations"] for i in r["Instances"]]

    def dead_letters(self) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        return list(self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []))

    def archived(self) -> dict[str, Any]:
        key = layout.run_prefix(ENV, RUN) + "system-state.json"
        return dict(json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
