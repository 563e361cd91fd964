"""Can what exists become what the inventory asks for now, without a second one of anything?

What provisioning finds again it finds by what never changes: names that are made of the environment alone, and within the
VPC address ranges. A change that AWS cannot make to what exists is refused here, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chronos_training.control.provision import parameters
from chronos_training.control.provision.bucket import region_of
from chronos_training.control.provision.names import Names
from chronos_training.core import aws, commands
from chronos_training.core.aws_types import IAMClient
from chronos_training.core.errors import ConfigurationError

Raw = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What the inventory says. `zones` are the given ones, in the order of `ranges`; empty: the first that there are."""

    names: Names
    cidr: str
    ranges: tuple[str, ...]
    zones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What exists under the environment's names, whatever its tags say."""

    vpcs: list[Raw] = field(default_factory=list)
    subnets: list[Raw] = field(default_factory=list)
    route_tables: list[Raw] = field(default_factory=list)
    termination_schedule_role: Raw | None = None
    bucket: str = ""  # the one that is published, if it still exists
    bucket_region: str | None = None  # of the wanted one
    zones: tuple[str, ...] = ()  # the region's


def collect(wish: Wish) -> Found:
    """Read what exists. TrainingError when AWS cannot be read."""
    names = wish.names
    ec2, s3 = aws.client("ec2", region=names.region), aws.client("s3", region=names.region)
    vpcs, subnets, tables, zones = [], [], [], []
    with aws.explained(f"find the network of environment {names.env}"):
        vpcs = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [names.vpc]}])["Vpcs"]
        if vpcs:
            inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"] for vpc in vpcs]}]
            subnets = ec2.describe_subnets(Filters=inside)["Subnets"]
            named = [*inside, {"Name": "tag:Name", "Values": [names.vpc]}]
            tables = ec2.describe_route_tables(Filters=named)["RouteTables"]
        if not wish.zones:
            # Not local zones or wavelength zones: they have no GPU instances of the kind we start, and cost more.
            kinds = {"zone-type": "availability-zone", "state": "available"}
            filters = [{"Name": name, "Values": [value]} for name, value in kinds.items()]
            zones = ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    published = parameters.read(aws.client("ssm", region=names.region), names.parameters).get("bucket", "")
    if published and published != names.bucket and region_of(s3, published) is None:
        published = ""
    return Found(
        vpcs=vpcs,
        subnets=subnets,
        route_tables=tables,
        termination_schedule_role=_role(aws.client("iam", region=names.region), names.termination_schedule_role),
        bucket=published,
        bucket_region=region_of(s3, names.bucket),
        zones=tuple(sorted(zone["ZoneName"] for zone in zones)),
    )


def _role(iam: IAMClient, name: str) -> Raw | None:
    with aws.explained(f"find the role {name}"):
        try:
            return {**iam.get_role(RoleName=name)["Role"]}
        except iam.exceptions.NoSuchEntityException:
            return None


def check(found: Found, wish: Wish) -> None:
    """Raise ConfigurationError with a sentence for each change that cannot be made to what exists."""
    told = [*_environment(found, wish), *_network(found, wish)]
    if told:
        env = wish.names.env
        raise ConfigurationError(
            "\n".join([*told, "Nothing was changed."]),
            hint=(
                "Restore these values. To change them nevertheless, tear the environment down with the old values "
                "and provision it again; the bucket and its data stay: "
                f"{commands.playbook(env, 'teardown_infrastructure')}"
            ),
        )


def _environment(found: Found, wish: Wish) -> Iterator[str]:
    names = wish.names
    made_in = _region_of_schedules(found.termination_schedule_role)
    if made_in and made_in != names.region:
        yield (
            f"training_region is {names.region}, but environment {names.env} of this account was provisioned in "
            f"{made_in} (tags of its role {names.termination_schedule_role}), and a second one would take over its roles."
        )
    for vpc in found.vpcs:
        project = _tag(vpc, "Project")
        if project and project != names.tags["Project"]:
            yield (
                f"training_project is {names.tags['Project']}, but environment {names.env} was provisioned as "
                f"{project} ({vpc['VpcId']}): runs, policies and costs depend on that tag."
            )
    if found.bucket and found.bucket != names.bucket:
        yield f"The bucket would be {names.bucket}, but environment {names.env} has its data in {found.bucket}."
    if found.bucket_region and found.bucket_region != names.region:
        yield (
            f"The bucket {names.bucket} is in {found.bucket_region}, but training_region is {names.region}: instances read it "
            "through an endpoint in their own region."
        )


def _network(found: Found, wish: Wish) -> Iterator[str]:
    for vpc in found.vpcs:
        if vpc["CidrBlock"] != wish.cidr:
            yield (
                f"training_network_cidr is {wish.cidr}, but the VPC {vpc['VpcId']} of environment {wish.names.env} has "
                f"{vpc['CidrBlock']}: AWS cannot change the range of a VPC."
            )
    for subnet in found.subnets:
        block, zone = subnet["CidrBlock"], subnet["AvailabilityZone"]
        if block not in wish.ranges:
            yield (
                f"training_network_subnet_cidrs lacks {block} of the subnet {subnet['SubnetId']}: provisioning adds "
                "subnets but removes none."
            )
        elif wish.zones and wish.zones[wish.ranges.index(block)] != zone:
            yield (
                f"training_network_zones has {wish.zones[wish.ranges.index(block)]} for {block}, but the subnet "
                f"{subnet['SubnetId']} lies in {zone}: AWS cannot move a subnet."
            )


def zones(found: Found, wish: Wish) -> list[str]:
    """Return a zone for each range: that of the subnet that exists, the given one, or the next that has none.

    ConfigurationError when there are fewer zones than ranges.
    """
    taken = {subnet["CidrBlock"]: subnet["AvailabilityZone"] for subnet in found.subnets}
    free = [zone for zone in found.zones if zone not in taken.values()]
    chosen = list(wish.zones)
    if not chosen:
        chosen = [taken[block] if block in taken else free.pop(0) if free else "" for block in wish.ranges]
    if len(chosen) < len(wish.ranges) or "" in chosen:
        known = wish.zones or found.zones
        raise ConfigurationError(
            f"training_network_subnet_cidrs has {len(wish.ranges)} ranges, but there are only {len(known)} zones "
            f"({', '.join(known)}): each range needs its own zone."
        )
    return chosen[: len(wish.ranges)]


def route_table(found: Found) -> str:
    """Return the id of the environment's route table, or an empty string."""
    return str(found.route_tables[0]["RouteTableId"]) if found.route_tables else ""


def _region_of_schedules(role: Raw | None) -> str:
    """The role of the termination schedules is used by the schedules of one region, and its trust policy names it."""
    for statement in (role or {}).get("AssumeRolePolicyDocument", {}).get("Statement", []):
        source = str(statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceArn", ""))
        if source.startswith("arn:aws"):
            return source.split(":")[3]
    return ""


def _tag(resource: Raw, key: str) -> str:
    return next((str(tag["Value"]) for tag in resource.get("Tags", []) if tag["Key"] == key), "")
