"""Whether there is room for the run: what the zones offer, and what the vCPU quotas leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.capacity import Quota, quota_of
from chronos_training.core.errors import TrainingError

from .check_result import CheckResult, Kind, note, ok, stop, unseen

# The quota counts all but what is stopped or gone; an instance on its way out holds its vCPUs to the last.
COUNTED = ("pending", "running", "stopping", "shutting-down")


def zones(ec2: EC2Client, instance_types: Iterable[str], ours: Iterable[str]) -> CheckResult:
    """Return which of our zones offer which type. `ours` are those of the subnets, or of the region before there are any."""
    name, types, wanted = "zones", tuple(instance_types), sorted(set(ours))
    try:
        with aws.explained(f"find where {', '.join(types)} is offered"):
            pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(types)}]
            )
            offered = {
                (str(one["InstanceType"]), str(one["Location"]))
                for page in pages
                for one in page["InstanceTypeOfferings"]
            }
    except TrainingError as error:
        return unseen(name, error)
    said, some, all_of_them = [], False, True
    for kind in types:
        there = [zone for zone in wanted if (kind, zone) in offered]
        lacking = [zone for zone in wanted if zone not in there]
        elsewhere = sorted(zone for type_, zone in offered if type_ == kind and zone not in wanted)
        some, all_of_them = some or bool(there), all_of_them and not lacking
        said.append(
            f"{kind} is offered in {', '.join(there) or 'none of our zones'}"
            + (f", not in {', '.join(lacking)}" if there and lacking else "")
            + (f" (in this region: {', '.join(elsewhere) or 'nowhere'})" if not there else "")
        )
    text = "; ".join(said)
    if not some:
        return stop(
            name, f"{text}. Give another type in training_launch_instance_types, or zones in training_network_zones."
        )
    return ok(name, text) if all_of_them else note(name, f"{text}; a launch tries the other zones")


def quotas(ec2: EC2Client, region: str, instance_types: Iterable[str], count: int) -> list[CheckResult]:
    """Return for each quota that the types count against what the run needs of it, and what is left."""
    name, types = "quota", tuple(instance_types)
    by_quota: dict[Quota, list[str]] = {}
    for kind in types:
        by_quota.setdefault(quota_of(kind), []).append(kind)
    service = aws.client("service-quotas", region=region)
    with ThreadPoolExecutor(len(by_quota)) as pool:
        reading = {quota: pool.submit(_granted, service, quota) for quota in by_quota}
        try:
            held = _held(ec2)
            vcpus = _vcpus(ec2, {*types, *(str(one["InstanceType"]) for one in held)})
        except TrainingError as error:
            return [unseen(name, error)]
        found = []
        for quota, kinds in by_quota.items():
            try:
                granted = reading[quota].result()
            except TrainingError as error:
                found.append(unseen(name, error))
            else:
                found.append(
                    _judge(
                        quota,
                        granted,
                        [k for k in held if quota_of(k["InstanceType"]) == quota],
                        vcpus,
                        kinds,
                        count,
                        region,
                    )
                )
    # One type that may be started is enough: a launch moves on to it.
    if any(one.kind is not Kind.STOP for one in found):
        found = [note(name, one.text) if one.kind is Kind.STOP else one for one in found]
    return found


def _judge(
    quota: Quota,
    granted: float | None,
    held: list[Mapping[str, Any]],
    vcpus: dict[str, int],
    kinds: list[str],
    count: int,
    region: str,
) -> CheckResult:
    least = min(kinds, key=lambda kind: vcpus.get(kind, 0))
    needed = vcpus.get(least, 0) * count
    used = sum(vcpus.get(str(one["InstanceType"]), 0) for one in held)
    ending = [one for one in held if one["State"]["Name"] == "shutting-down"]
    what = f"{count} x {least}" if count > 1 else least
    if not needed:
        return CheckResult("quota", Kind.UNSEEN, f"EC2 in {region} has no instance type {least}")
    if granted is None:
        return CheckResult(
            "quota",
            Kind.UNSEEN,
            f"Service Quotas has no '{quota.name}' in {region}; {what} needs {needed} vCPUs",
        )
    text = f"'{quota.name}': {granted:.0f} vCPUs, {used} in use; {what} needs {needed}"
    if used + needed <= granted:
        return ok("quota", text)
    gone = sum(vcpus.get(str(one["InstanceType"]), 0) for one in ending)
    if ending and used - gone + needed <= granted:
        names = ", ".join(str(one["InstanceId"]) for one in ending)
        return stop(
            "quota",
            f"{text}. {names} is still shutting down, which takes minutes and counts against the quota until then: "
            "wait.",
        )
    ask = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {quota.code}"
    return stop(
        "quota",
        f"{text}. Ask AWS for {used + needed:.0f} or more, which usually takes a day"
        + (
            f": {ask} --desired-value {used + needed:.0f} --region {region}"
            if quota.code
            else " (Service Quotas, Amazon EC2)."
        ),
    )


def _granted(service: Any, quota: Quota) -> float | None:
    """Return the vCPUs that the account has, or None when Service Quotas does not tell."""
    if not quota.code:
        return None
    asked = {"ServiceCode": "ec2", "QuotaCode": quota.code}
    with aws.explained(f"read the quota {quota.code}"):
        for read in (service.get_service_quota, service.get_aws_default_service_quota):
            try:
                return float(read(**asked)["Quota"]["Value"])
            except ClientError as error:
                # Not every region keeps what is the default of all.
                if aws.error_code(error) != "NoSuchResourceException":
                    raise
    return None


def _held(ec2: EC2Client) -> list[Mapping[str, Any]]:
    """Return all of the account's on-demand instances in the region that count, whoever's they are."""
    with aws.explained("list the account's instances"):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": list(COUNTED)}]
        )
        every = [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
    return [one for one in every if one.get("InstanceLifecycle") != "spot"]


def _vcpus(ec2: EC2Client, types: set[str]) -> dict[str, int]:
    with aws.explained(f"find the vCPUs of {', '.join(sorted(types))}"):
        # A filter, because a name that does not exist is an error to InstanceTypes, and tells nothing of the others.
        pages = ec2.get_paginator("describe_instance_types").paginate(
            Filters=[{"Name": "instance-type", "Values": sorted(types)}]
        )
        return {
            str(one["InstanceType"]): int(one["VCpuInfo"]["DefaultVCpus"])
            for page in pages
            for one in page["InstanceTypes"]
        }
