"""The check after deployment (R38): does what AWS reports hold the properties that matter? Pure: a survey in, sentences out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chronos_training.control.infrastructure.bucket import Described
from chronos_training.control.infrastructure.names import PARAMETERS, Names
from chronos_training.control.infrastructure.survey import Raw, Survey, name_tags

HTTPS_ONLY = [("tcp", 443, 443)]


def findings(seen: Survey, names: Names, bucket: Described, policy: dict[str, Any]) -> list[str]:
    """Return one sentence for each property that does not hold; an empty list is a pass.

    `bucket` is how the bucket must be (see `bucket.wanted`), `policy` the instance role's whole inline policy.
    """
    return [
        *_network(seen, names),
        *_security_group(seen, names),
        *_bucket(seen, names, bucket),
        *_identity(seen, names, policy),
        *_parameters(seen, names),
        *_tags(seen, names),
    ]


def _network(seen: Survey, names: Names) -> Iterator[str]:
    if len(seen.vpcs) != 1:
        yield f"There are {len(seen.vpcs)} VPCs tagged for environment {names.env}, not one."
    zones = {subnet["AvailabilityZone"] for subnet in seen.subnets}
    if len(zones) < 2:
        yield f"The subnets lie in {len(zones)} availability zone(s); GPU capacity runs out by zone, so it takes two."
    for subnet in seen.subnets:
        if not subnet["MapPublicIpOnLaunch"]:
            yield f"Subnet {subnet['SubnetId']} gives no public address: an instance in it could not reach AWS."
        if _route_table_of(subnet, seen) is None:
            yield f"Subnet {subnet['SubnetId']} is not associated with the environment's route table."
    for table in seen.route_tables:
        default = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
        if not any(r.get("GatewayId", "").startswith("igw-") and r.get("State") == "active" for r in default):
            yield f"Route table {table['RouteTableId']} has no working route to the internet gateway."
        if not any(table["RouteTableId"] in endpoint["RouteTableIds"] for endpoint in seen.endpoints):
            yield f"Route table {table['RouteTableId']} does not lead S3 traffic to the gateway endpoint."
    for endpoint in seen.endpoints:
        if endpoint["ServiceName"] != names.s3_service:
            yield f"Endpoint {endpoint['VpcEndpointId']} serves {endpoint['ServiceName']}, not {names.s3_service}."


def _route_table_of(subnet: Raw, seen: Survey) -> Raw | None:
    for table in seen.route_tables:
        if any(a.get("SubnetId") == subnet["SubnetId"] for a in table["Associations"]):
            return table
    return None


def _security_group(seen: Survey, names: Names) -> Iterator[str]:
    groups = [g for g in seen.security_groups if g["GroupName"] == names.instance]
    if len(groups) != 1:
        yield f"There are {len(groups)} security groups {names.instance}, not one."
    for group in groups:
        if group["IpPermissions"]:
            yield f"Security group {group['GroupId']} has inbound rules; training instances accept no connection."
        egress = [(p["IpProtocol"], p.get("FromPort"), p.get("ToPort")) for p in group["IpPermissionsEgress"]]
        if egress != HTTPS_ONLY:
            yield f"Security group {group['GroupId']} allows egress {egress}, not TCP 443 alone."


def _bucket(seen: Survey, names: Names, want: Described) -> Iterator[str]:
    if seen.bucket is None:
        yield f"The bucket {names.bucket} does not exist."
        return
    for aspect, value in want.items():
        found = seen.bucket[aspect]
        if aspect != "tags" and found != value:
            yield f"The bucket {names.bucket} has {aspect.replace('_', ' ')} {found!r}, not {value!r}."


def _identity(seen: Survey, names: Names, policy: dict[str, Any]) -> Iterator[str]:
    if seen.role is None:
        yield f"The role {names.instance} does not exist."
    else:
        trusted = [s.get("Principal") for s in seen.role["AssumeRolePolicyDocument"]["Statement"]]
        if trusted != [{"Service": "ec2.amazonaws.com"}]:
            yield f"The role {names.instance} may be assumed by {trusted}, not by EC2 alone."
        if seen.role["AttachedPolicies"]:
            yield f"The role {names.instance} has managed policies attached: {', '.join(seen.role['AttachedPolicies'])}."
        inline = seen.role["InlinePolicies"]
        if list(inline.values()) != [policy]:
            yield f"The inline policies of the role {names.instance} ({', '.join(inline) or 'none'}) are not the one it needs."
    roles = [r["RoleName"] for r in (seen.profile or {}).get("Roles", [])]
    if roles != [names.instance]:
        yield f"The instance profile {names.instance} holds {roles or 'no role'}, not the role {names.instance}."


def published(seen: Survey, names: Names) -> dict[str, str]:
    """Return the parameters as they must read for what exists."""
    return {
        "vpc_id": ",".join(v["VpcId"] for v in seen.vpcs),
        "subnet_ids": ",".join(sorted(s["SubnetId"] for s in seen.subnets)),
        "security_group_id": ",".join(g["GroupId"] for g in seen.security_groups),
        "bucket": names.bucket if seen.bucket is not None else "",
        "instance_profile": names.instance if seen.profile is not None else "",
        "region": names.region,
    }


def _parameters(seen: Survey, names: Names) -> Iterator[str]:
    expected = published(seen, names)
    for name in PARAMETERS:
        found = ",".join(sorted(seen.parameters.get(name, "").split(",")))
        if found != expected[name]:
            yield f"The parameter {names.parameters}{name} says {found or 'nothing'}, but there is {expected[name] or 'nothing'}."


def _tags(seen: Survey, names: Names) -> Iterator[str]:
    tagged = {
        **{v["VpcId"]: name_tags(v) for v in seen.vpcs},
        **{s["SubnetId"]: name_tags(s) for s in seen.subnets},
        **{g["InternetGatewayId"]: name_tags(g) for g in seen.gateways},
        **{t["RouteTableId"]: name_tags(t) for t in seen.route_tables},
        **{e["VpcEndpointId"]: name_tags(e) for e in seen.endpoints},
        **{g["GroupId"]: name_tags(g) for g in seen.security_groups},
    }
    if seen.bucket is not None:
        tagged[names.bucket] = seen.bucket["tags"] or {}
    if seen.role is not None:
        tagged[f"role {names.instance}"] = name_tags(seen.role)
    if seen.profile is not None:
        tagged[f"instance profile {names.instance}"] = name_tags(seen.profile)
    for resource, tags in tagged.items():
        wrong = [key for key, value in names.tags.items() if tags.get(key) != value]
        if wrong:
            yield f"{resource} lacks the mandatory tags {', '.join(wrong)} or has other values."
