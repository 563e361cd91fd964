"""What exists of an environment, read from AWS by tag and by name, and changed by nobody here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chronos_training.control.provision import parameters, people, schedule_group
from chronos_training.control.provision.bucket import Described, describe
from chronos_training.control.provision.names import Names
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import IAMClient, S3Client
from chronos_training.core.instances import Instance, find_instances, tag_filters

Raw = dict[str, Any]


@dataclass(frozen=True)
class Survey:
    """Raw AWS descriptions, by kind. Empty lists and None mean that the resource does not exist."""

    vpcs: list[Raw] = field(default_factory=list)
    subnets: list[Raw] = field(default_factory=list)
    gateways: list[Raw] = field(default_factory=list)
    route_tables: list[Raw] = field(default_factory=list)
    endpoints: list[Raw] = field(default_factory=list)
    security_groups: list[Raw] = field(default_factory=list)
    bucket: Described | None = None
    role: Raw | None = None
    profile: Raw | None = None
    termination_schedule_role: Raw | None = None
    termination_schedule_group: schedule_group.Described | None = None
    termination_schedule_queue: schedule_group.Described | None = None
    people: dict[str, people.Policy] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    has_state: bool = False


def survey(names: Names) -> Survey:
    """Read everything that exists of the environment `names`. TrainingError when AWS cannot be read."""
    ec2 = aws.client("ec2", region=names.region)
    iam = aws.client("iam", region=names.region)
    ssm = aws.client("ssm", region=names.region)
    s3 = aws.client("s3", region=names.region)
    filters = tag_filters(names.tags["Project"], names.env)
    with aws.explained(f"read the network of environment {names.env}"):
        network = {
            "vpcs": ec2.describe_vpcs(Filters=filters)["Vpcs"],
            "subnets": ec2.describe_subnets(Filters=filters)["Subnets"],
            "gateways": ec2.describe_internet_gateways(Filters=filters)["InternetGateways"],
            "route_tables": ec2.describe_route_tables(Filters=filters)["RouteTables"],
            "endpoints": [
                # A deleted endpoint stays listed for some minutes.
                e
                for e in ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
                if e["State"].lower() not in ("deleting", "deleted")
            ],
            "security_groups": ec2.describe_security_groups(Filters=filters)["SecurityGroups"],
        }
    bucket = describe(s3, names.bucket)
    schedules = schedule_group.describe(
        schedule_group.Clients.of(names.region), names.termination_schedule_group, names.termination_schedule_queue
    )
    return Survey(
        **network,
        bucket=bucket,
        role=_role(iam, names.instance),
        profile=_profile(iam, names.instance),
        termination_schedule_role=_role(iam, names.termination_schedule_role),
        termination_schedule_group=schedules["group"],
        termination_schedule_queue=schedules["queue"],
        people=people.describe(iam, aws.client("sts", region=names.region), names.people),
        parameters=parameters.read(ssm, names.parameters),
        instances=find_instances(ec2, names.tags["Project"], names.env),
        has_state=bucket is not None and _exists(s3, names.bucket, layout.state_key(names.env)),
    )


def name_tags(resource: Raw) -> dict[str, str]:
    """Return the tags of a raw AWS description as a dict; IAM and EC2 both say them as Key and Value."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _role(iam: IAMClient, name: str) -> Raw | None:
    """Return the role with `InlinePolicies` {name: document} and `AttachedPolicies` [arn], or None."""
    with aws.explained(f"read the role {name}"):
        try:
            role = iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return None
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        return {
            **role,
            "InlinePolicies": {
                policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in inline
            },
            "AttachedPolicies": [policy["PolicyArn"] for policy in attached],
        }


def _profile(iam: IAMClient, name: str) -> Raw | None:
    with aws.explained(f"read the instance profile {name}"):
        try:
            return {**iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]}
        except iam.exceptions.NoSuchEntityException:
            return None


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    """Return whether the object exists, by listing: HEAD says 403, not 404, to a person without s3:ListBucket."""
    with aws.explained(f"look for s3://{bucket}/{key}"):
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return any(item["Key"] == key for item in found)
