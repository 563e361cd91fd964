"""The check after deployment (R38): does what AWS reports hold the properties that matter? Pure: a survey in, sentences out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from chronos_training.control.provision.bucket import Described
from chronos_training.control.provision.names import PARAMETERS, Names
from chronos_training.control.provision.policies import differences
from chronos_training.control.provision.survey import Raw, Survey, name_tags
from chronos_training.core.commands import playbook

PAUSE_SECONDS = 3.0
HTTPS = ("tcp", 443, 443, ("0.0.0.0/0",))


def read_back(
    look: Callable[[], tuple[Survey, list[str]]],
    patience_seconds: float,
    emit: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Survey, list[str]]:
    """Return what `look` returns once it finds nothing wrong, or after `patience_seconds`.

    IAM, SSM and EC2 spread a change over their servers: for some seconds one of them may still tell what was before.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        seen, wrong = look()
        if not wrong or time.monotonic() >= deadline:
            return seen, wrong
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        emit(f"not as configured yet: {wrong[0]}{more} AWS may need a few seconds; reading again")
        sleep(PAUSE_SECONDS)


def findings(
    seen: Survey,
    names: Names,
    bucket: Described,
    policy: dict[str, Any],
    termination_policy: dict[str, Any],
    people: dict[str, dict[str, Any]],
) -> list[str]:
    """Return one sentence for each property that does not hold; an empty list is a pass.

    `bucket` is how the bucket must be (see `bucket.wanted`); `policy` and `termination_policy` are the whole inline policies of the
    instance role and of the role of the termination schedules; `people` are the managed user policies, by name.
    """
    return [
        *_network(seen, names),
        *_security_group(seen, names),
        *_bucket(seen, names, bucket),
        *_identity(seen, names, policy),
        *_termination_schedules(seen, names, termination_policy),
        *_people(seen, people, names.env),
        *_parameters(seen, names),
        *_tags(seen, names),
    ]


def _network(seen: Survey, names: Names) -> Iterator[str]:
    if len(seen.vpcs) != 1:
        yield f"{len(seen.vpcs)} VPCs are tagged for environment {names.env}; there must be exactly one."
    zones = {subnet["AvailabilityZone"] for subnet in seen.subnets}
    if len(zones) < 2:
        yield f"The subnets are in {len(zones)} availability zone(s); at least two are needed, because GPU capacity runs out by zone."
    for subnet in seen.subnets:
        if not subnet["MapPublicIpOnLaunch"]:
            yield f"Subnet {subnet['SubnetId']} assigns no public address, so an instance in it could not reach AWS."
        if _route_table_of(subnet, seen) is None:
            yield f"Subnet {subnet['SubnetId']} is not associated with the environment's route table."
    for table in seen.route_tables:
        default = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
        if not any(r.get("GatewayId", "").startswith("igw-") and r.get("State") == "active" for r in default):
            yield f"Route table {table['RouteTableId']} has no working route to the internet gateway."
        if not any(table["RouteTableId"] in endpoint["RouteTableIds"] for endpoint in seen.endpoints):
            yield f"Route table {table['RouteTableId']} does not route S3 traffic to the gateway endpoint."
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
        yield f"There are {len(groups)} security groups named {names.instance}; there must be exactly one."
    for group in groups:
        identity = group["GroupId"]
        among_themselves = ("tcp", 0, 65535, (identity,))
        inbound, outbound = _rules(group["IpPermissions"]), _rules(group["IpPermissionsEgress"])
        if inbound - {among_themselves}:
            yield f"Security group {identity} has inbound rules from elsewhere; instances must accept traffic from each other only."
        if among_themselves not in inbound or among_themselves not in outbound:
            yield f"Security group {identity} does not let the instances of a run reach each other (TCP within the group)."
        if outbound - {among_themselves} != {HTTPS}:
            yield f"Security group {identity} allows egress {sorted(outbound)}, not TCP 443 and its own instances alone."


def _rules(permissions: list[Raw]) -> set[tuple[str, int | None, int | None, tuple[str, ...]]]:
    """Return rules as protocol, ports, and who is at the other end."""
    ends = {
        "IpRanges": "CidrIp",
        "Ipv6Ranges": "CidrIpv6",
        "UserIdGroupPairs": "GroupId",
        "PrefixListIds": "PrefixListId",
    }
    return {
        (
            p["IpProtocol"],
            p.get("FromPort"),
            p.get("ToPort"),
            tuple(sorted(str(end[key]) for kind, key in ends.items() for end in p.get(kind, []))),
        )
        for p in permissions
    }


def _bucket(seen: Survey, names: Names, want: Described) -> Iterator[str]:
    if seen.bucket is None:
        yield f"The bucket {names.bucket} does not exist."
        return
    for aspect, value in want.items():
        found = seen.bucket[aspect]
        if aspect != "tags" and found != value:
            yield f"The bucket {names.bucket} has {aspect.replace('_', ' ')} {found!r}, not {value!r}."


def _identity(seen: Survey, names: Names, policy: dict[str, Any]) -> Iterator[str]:
    yield from _role(seen.role, names.instance, "ec2.amazonaws.com", policy)
    roles = [r["RoleName"] for r in (seen.profile or {}).get("Roles", [])]
    if roles != [names.instance]:
        yield f"The instance profile {names.instance} holds {roles or 'no role'}, not the role {names.instance}."


def _role(role: Raw | None, name: str, service: str, policy: dict[str, Any]) -> Iterator[str]:
    if role is None:
        yield f"The role {name} does not exist."
        return
    trusted = [s.get("Principal") for s in role["AssumeRolePolicyDocument"]["Statement"]]
    if trusted != [{"Service": service}]:
        yield f"The role {name} may be assumed by {trusted}, not by {service} alone."
    if role["AttachedPolicies"]:
        yield f"The role {name} has managed policies attached: {', '.join(role['AttachedPolicies'])}."
    inline = role["InlinePolicies"]
    if len(inline) != 1 or differences(next(iter(inline.values())), policy):
        yield f"The role {name} has the inline policies {', '.join(inline) or 'none'}, which are not what it needs."


def _termination_schedules(seen: Survey, names: Names, policy: dict[str, Any]) -> Iterator[str]:
    yield from _role(seen.termination_schedule_role, names.termination_schedule_role, "scheduler.amazonaws.com", policy)
    for statement in (seen.termination_schedule_role or {}).get("AssumeRolePolicyDocument", {}).get("Statement", []):
        if "aws:SourceAccount" not in statement.get("Condition", {}).get("StringEquals", {}):
            yield f"Schedules of other accounts may use the role {names.termination_schedule_role}: its trust policy has no aws:SourceAccount."
    if seen.termination_schedule_group is None:
        yield f"The schedule group {names.termination_schedule_group} of the termination schedules does not exist."
    if seen.termination_schedule_queue is None:
        yield f"The dead-letter queue {names.termination_schedule_queue} of the termination schedules does not exist."
        return
    if seen.termination_schedule_queue["SqsManagedSseEnabled"] != "true":
        yield f"The queue {names.termination_schedule_queue} is not encrypted."
    statements = (seen.termination_schedule_queue["Policy"] or {}).get("Statement", [])
    if not any(s["Effect"] == "Deny" and "aws:SecureTransport" in str(s.get("Condition")) for s in statements):
        yield f"The queue {names.termination_schedule_queue} accepts requests without TLS."


def _people(seen: Survey, wanted: dict[str, dict[str, Any]], env: str) -> Iterator[str]:
    again = playbook(env, "provision_infrastructure")
    for name, document in wanted.items():
        found = seen.people.get(name)
        if found is None:
            yield f"The policy {name} does not exist, so nobody can be granted it. Create it: {again}"
        elif said := differences(found.document, document):
            yield (
                f"The policy {name} differs from what it should allow: {', '.join(said)}. The intended policy is in "
                f"roles/training_access/vars/main.yml. Restore it: {again}"
            )


def published(seen: Survey, names: Names) -> dict[str, str]:
    """Return the parameters as they must read for what exists."""
    return {
        "vpc_id": ",".join(v["VpcId"] for v in seen.vpcs),
        "subnet_ids": ",".join(sorted(s["SubnetId"] for s in seen.subnets)),
        "security_group_id": ",".join(g["GroupId"] for g in seen.security_groups),
        "bucket": names.bucket if seen.bucket is not None else "",
        "instance_profile": names.instance if seen.profile is not None else "",
        "region": names.region,
        "guard_group": names.termination_schedule_group if seen.termination_schedule_group is not None else "",
        "guard_role_arn": seen.termination_schedule_role["Arn"] if seen.termination_schedule_role is not None else "",
        "guard_queue_arn": seen.termination_schedule_queue["arn"]
        if seen.termination_schedule_queue is not None
        else "",
    }


def _parameters(seen: Survey, names: Names) -> Iterator[str]:
    expected = published(seen, names)
    for name in PARAMETERS:
        found = ",".join(sorted(seen.parameters.get(name, "").split(",")))
        if found != expected[name]:
            yield f"The parameter {names.parameters}{name} says {found or 'nothing'}, but it should say {expected[name] or 'nothing'}."


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
    if seen.termination_schedule_role is not None:
        tagged[f"role {names.termination_schedule_role}"] = name_tags(seen.termination_schedule_role)
    if seen.termination_schedule_group is not None:
        tagged[f"schedule group {names.termination_schedule_group}"] = seen.termination_schedule_group["tags"]
    if seen.termination_schedule_queue is not None:
        tagged[f"queue {names.termination_schedule_queue}"] = seen.termination_schedule_queue["tags"]
    tagged |= {f"policy {name}": policy.tags for name, policy in seen.people.items()}
    for resource, tags in tagged.items():
        wrong = [key for key, value in names.tags.items() if tags.get(key) != value]
        if wrong:
            yield f"{resource} lacks the mandatory tags {', '.join(wrong)} or has the wrong values."
