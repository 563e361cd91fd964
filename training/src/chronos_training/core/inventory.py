"""What exists in an account under our tags: the evidence of `cleanup_status.json` and of verify_cleanup (R25)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import aws
from .aws_types import EC2Client, Filter
from .clock import iso, utc_now
from .instances import tag_filters


@dataclass(frozen=True)
class Resource:
    """One resource of ours that must not outlive its run. `attached_to` is the instance that holds it, if one does.

    `stays`: EC2 does not delete it together with that instance.
    """

    kind: str
    resource_id: str
    state: str
    run_id: str
    detail: str
    attached_to: str = ""
    region: str = ""
    stays: bool = False


def _tag(raw: Mapping[str, Any], key: str) -> str:
    tags = raw.get("Tags") or raw.get("TagSet") or []
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == key), "")


def _instances(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for raw in (i for reservation in page["Reservations"] for i in reservation["Instances"]):
            # A terminated instance is listed for about an hour and costs nothing.
            if raw["State"]["Name"] != "terminated":
                detail = f"{raw['InstanceType']} in {raw['Placement']['AvailabilityZone']}"
                yield Resource("instance", raw["InstanceId"], raw["State"]["Name"], _tag(raw, "RunId"), detail)


def _volumes(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_volumes").paginate(Filters=filters):
        for raw in page["Volumes"]:
            attachment: Mapping[str, Any] = next((a for a in raw.get("Attachments", []) if a.get("InstanceId")), {})
            attached_to, stays = (
                str(attachment.get("InstanceId", "")),
                bool(attachment) and not attachment.get("DeleteOnTermination"),
            )
            detail = f"{raw['Size']} GB"
            yield Resource(
                "volume", raw["VolumeId"], raw["State"], _tag(raw, "RunId"), detail, attached_to, stays=stays
            )


def _interfaces(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_network_interfaces").paginate(Filters=filters):
        for raw in page["NetworkInterfaces"]:
            # An interface may also be held by a service of AWS, which has an attachment but no instance.
            attachment = raw.get("Attachment") or {}
            attached_to = str(attachment.get("InstanceId") or attachment.get("AttachmentId") or "")
            identity = raw["NetworkInterfaceId"]
            stays = bool(attached_to) and not attachment.get("DeleteOnTermination")
            yield Resource(
                "network interface", identity, raw["Status"], _tag(raw, "RunId"), "", attached_to, stays=stays
            )


def _snapshots(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    for page in ec2.get_paginator("describe_snapshots").paginate(Filters=filters, OwnerIds=["self"]):
        for raw in page["Snapshots"]:
            yield Resource("snapshot", raw["SnapshotId"], raw["State"], _tag(raw, "RunId"), f"{raw['VolumeSize']} GB")


def _addresses(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    for raw in ec2.describe_addresses(Filters=filters)["Addresses"]:
        state = "associated" if raw.get("AssociationId") else "unused"
        attached_to = str(raw.get("InstanceId") or raw.get("NetworkInterfaceId") or "") if state == "associated" else ""
        run_id, where = _tag(raw, "RunId"), str(raw.get("PublicIp", ""))
        yield Resource("address", raw["AllocationId"], state, run_id, where, attached_to, stays=bool(attached_to))


def _spot_requests(ec2: EC2Client, filters: list[Filter]) -> Iterable[Resource]:
    # A request that is closed, cancelled or failed stays listed for days, and starts nothing any more.
    live: list[Filter] = [*filters, {"Name": "state", "Values": ["open", "active"]}]
    for page in ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=live):
        for raw in page["SpotInstanceRequests"]:
            detail = f"{raw.get('Type', 'one-time')}, instance {raw.get('InstanceId', 'none')}"
            yield Resource("Spot request", raw["SpotInstanceRequestId"], raw["State"], _tag(raw, "RunId"), detail)


_LISTERS: dict[str, Callable[[Any, list[Filter]], Iterable[Resource]]] = {
    "instances": _instances,
    "volumes": _volumes,
    "network interfaces": _interfaces,
    "snapshots": _snapshots,
    "addresses": _addresses,
    "Spot requests": _spot_requests,
}
# What the instance's own role may describe (R30).
INSTANCE_KINDS = ("instances", "volumes", "network interfaces")
ALL_KINDS = tuple(_LISTERS)


def list_resources(
    ec2: EC2Client, project: str, env: str, *, run_id: str | None = None, kinds: Iterable[str] = ALL_KINDS
) -> list[Resource]:
    """Return the resources that carry the tags of `project` and `env` (and of `run_id`)."""
    filters, region = tag_filters(project, env, run_id), str(ec2.meta.region_name)
    found: list[Resource] = []
    for kind in kinds:
        with aws.explained(f"list the {kind} in {region}"):
            found.extend(replace(resource, region=region) for resource in _LISTERS[kind](ec2, filters))
    return found


def as_inventory(resources: list[Resource]) -> dict[str, Any]:
    """Return the JSON form of an inventory: when it was taken and what was there."""
    return {"taken_at": iso(utc_now()), "resources": [as_dict(resource) for resource in resources]}


def as_dict(resource: Resource) -> dict[str, Any]:
    """Return the JSON form of one resource."""
    return {name: value for name, value in asdict(resource).items() if name != "stays"}
