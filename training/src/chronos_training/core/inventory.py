"""What exists in an account under our tags: the evidence of `cleanup_status.json` and of verify_cleanup (R25)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from . import aws
from .clock import iso, utc_now
from .instances import tag_filters


@dataclass(frozen=True)
class Resource:
    """One tagged resource that costs money while it exists."""

    kind: str
    resource_id: str
    state: str
    run_id: str
    detail: str


def _tag(raw: dict[str, Any], key: str) -> str:
    tags = raw.get("Tags") or raw.get("TagSet") or []
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == key), "")


def _instances(ec2: Any, filters: list[dict[str, Any]]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for raw in (i for reservation in page["Reservations"] for i in reservation["Instances"]):
            # A terminated instance is listed for about an hour and costs nothing.
            if raw["State"]["Name"] != "terminated":
                detail = f"{raw['InstanceType']} in {raw['Placement']['AvailabilityZone']}"
                yield Resource("instance", raw["InstanceId"], raw["State"]["Name"], _tag(raw, "RunId"), detail)


def _volumes(ec2: Any, filters: list[dict[str, Any]]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_volumes").paginate(Filters=filters):
        for raw in page["Volumes"]:
            yield Resource("volume", raw["VolumeId"], raw["State"], _tag(raw, "RunId"), f"{raw['Size']} GB")


def _interfaces(ec2: Any, filters: list[dict[str, Any]]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_network_interfaces").paginate(Filters=filters):
        for raw in page["NetworkInterfaces"]:
            yield Resource("network interface", raw["NetworkInterfaceId"], raw["Status"], _tag(raw, "RunId"), "")


def _snapshots(ec2: Any, filters: list[dict[str, Any]]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_snapshots").paginate(Filters=filters, OwnerIds=["self"]):
        for raw in page["Snapshots"]:
            yield Resource("snapshot", raw["SnapshotId"], raw["State"], _tag(raw, "RunId"), f"{raw['VolumeSize']} GB")


def _addresses(ec2: Any, filters: list[dict[str, Any]]) -> Iterable[Resource]:
    for raw in ec2.describe_addresses(Filters=filters)["Addresses"]:
        state = "associated" if raw.get("AssociationId") else "unused"
        yield Resource("address", raw["AllocationId"], state, _tag(raw, "RunId"), raw.get("PublicIp", ""))


_LISTERS: dict[str, Callable[[Any, list[dict[str, Any]]], Iterable[Resource]]] = {
    "instances": _instances,
    "volumes": _volumes,
    "network interfaces": _interfaces,
    "snapshots": _snapshots,
    "addresses": _addresses,
}
# What the instance's own role may describe (R30).
INSTANCE_KINDS = ("instances", "volumes", "network interfaces")
ALL_KINDS = tuple(_LISTERS)


def list_resources(
    ec2: Any, project: str, env: str, *, run_id: str | None = None, kinds: Iterable[str] = ALL_KINDS
) -> list[Resource]:
    """Return the resources that carry the tags of `project` and `env` (and of `run_id`)."""
    filters = tag_filters(project, env, run_id)
    found: list[Resource] = []
    for kind in kinds:
        with aws.explained(f"list the {kind}"):
            found.extend(_LISTERS[kind](ec2, filters))
    return found


def as_inventory(resources: list[Resource]) -> dict[str, Any]:
    """Return the JSON form of an inventory: when it was taken and what was there."""
    return {"taken_at": iso(utc_now()), "resources": [asdict(resource) for resource in resources]}
