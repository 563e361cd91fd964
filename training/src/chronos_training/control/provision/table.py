"""The summary for a person: what exists, what it is called, and how long it lives (R35)."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.control.provision.names import Names
from chronos_training.control.provision.survey import Survey
from chronos_training.control.text_table import aligned
from chronos_training.core.commands import playbook

LONG_LIVED = "long-lived"


@dataclass(frozen=True)
class Row:
    """One resource of the environment; `id` is empty when it does not exist."""

    kind: str
    name: str
    id: str
    lifecycle: str = LONG_LIVED


def lifetimes(env: str) -> str:
    """Return how long each kind of resource lives, for a person."""
    remove, prove = playbook(env, "teardown_infrastructure"), playbook(env, "verify_cleanup")
    return (
        f"long-lived  the table above: until {remove}; the bucket and its data until you name the bucket there\n"
        f"ephemeral   a run's instance, volume, network interface and schedule: end with it, verified by {prove}\n"
        "manual      the account, its quota of G and VT instances, and who has the user policies: up to you"
    )


def rows(seen: Survey, names: Names, subnet_count: int) -> list[Row]:
    """Return one row for each persistent resource that the environment has or should have, in order of dependency."""
    subnets = [Row(f"subnet {s['AvailabilityZone']}", s["CidrBlock"], s["SubnetId"]) for s in _by_cidr(seen)]
    missing = max(0, subnet_count - len(subnets))
    return [
        Row("VPC", names.vpc, _ids([v["VpcId"] for v in seen.vpcs])),
        Row("internet gateway", names.vpc, _ids([g["InternetGatewayId"] for g in seen.gateways])),
        *subnets,
        *[Row("subnet", "in its own zone", "") for _ in range(missing)],
        Row("route table", names.vpc, _ids([t["RouteTableId"] for t in seen.route_tables])),
        Row("S3 gateway endpoint", names.s3_service, _ids([e["VpcEndpointId"] for e in seen.endpoints])),
        Row("security group", names.instance, _ids([g["GroupId"] for g in seen.security_groups])),
        Row("bucket", names.bucket, names.bucket if seen.bucket is not None else "", "long-lived, holds data"),
        Row("instance role", names.instance, names.instance if seen.role is not None else ""),
        Row("instance profile", names.instance, names.instance if seen.profile is not None else ""),
        Row(
            "termination schedule role",
            names.termination_schedule_role,
            names.termination_schedule_role if seen.termination_schedule_role is not None else "",
        ),
        Row(
            "termination schedule group",
            names.termination_schedule_group,
            names.termination_schedule_group if seen.termination_schedule_group is not None else "",
        ),
        Row(
            "termination dead-letter queue",
            names.termination_schedule_queue,
            names.termination_schedule_queue if seen.termination_schedule_queue is not None else "",
        ),
        *[Row("user policy", name, name if name in seen.people else "") for name in names.people],
        Row("SSM parameters", f"{names.parameters}*", f"{len(seen.parameters)} values" if seen.parameters else ""),
    ]


def render(table: list[Row], absent: str) -> str:
    """Return the rows as aligned text. `absent` stands for the id of what does not exist; empty leaves such rows out."""
    table = [row for row in table if row.id or absent]
    if not table:
        return "Nothing exists."
    cells = [("resource", "name", "id", "lifecycle")]
    # A name that is its own id is said once.
    cells += [(r.kind, r.name, ("exists" if r.id == r.name else r.id) or absent, r.lifecycle) for r in table]
    return "\n".join(aligned(cells))


def _by_cidr(seen: Survey) -> list[dict[str, str]]:
    return sorted(seen.subnets, key=lambda subnet: [int(part) for part in subnet["CidrBlock"].split("/")[0].split(".")])


def _ids(ids: list[str]) -> str:
    return ", ".join(ids)
