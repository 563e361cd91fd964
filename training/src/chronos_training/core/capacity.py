"""What a refused RunInstances means, and where to try next. Pure: AWS's code and words in, a decision out.

| AWS says                                     | it means                             | next                                   |
|----------------------------------------------|--------------------------------------|----------------------------------------|
| Insufficient…Capacity                        | the zone is full                     | other zones, those AWS names first     |
| Unsupported, of an Availability Zone         | the zone does not offer the type     | other zones, those AWS names first     |
| Unsupported, of a configuration              | AWS does not say what is wrong       | other zones                            |
| InsufficientFreeAddressesInSubnet            | the subnet is full                   | other zones                            |
| VcpuLimitExceeded, InstanceLimitExceeded, …  | the account may not                  | a type that counts against another quota |
| InvalidParameterCombination: … Free Tier     | the account is on the free plan      | another type                           |
| InvalidParameterValue: … Instance Profile    | IAM has not spread a new profile yet | the same again, in a moment            |
| RequestLimitExceeded, 5xx, no answer         | unknown, or not now                  | the same again, with the same token    |
| IdempotentParameterMismatch                  | the token was used for another call  | stop                                   |
| anything else                                | it would fail everywhere             | stop                                   |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class LaunchFailure(Enum):
    """What a refusal means; the text is what the attempt's line says."""

    ZONE_FULL = "no capacity in this zone"
    NOT_IN_ZONE = "this zone does not offer the type"
    UNSUPPORTED = "AWS does not support this here"
    SUBNET_FULL = "the subnet has no free address"
    QUOTA = "the account's quota does not allow it"
    FREE_PLAN = "the account is on the free plan, which does not allow the type"
    PROFILE_NOT_READY = "IAM has not made the instance profile available everywhere yet"
    REPEAT = "AWS did not answer or is too busy"
    MISMATCH = "the client token was used for another request"
    FATAL = "refused"


# Another zone may have what this one has not.
OF_THE_ZONE = {LaunchFailure.ZONE_FULL, LaunchFailure.NOT_IN_ZONE, LaunchFailure.UNSUPPORTED, LaunchFailure.SUBNET_FULL}

_BY_CODE = {
    "InsufficientInstanceCapacity": LaunchFailure.ZONE_FULL,
    "InsufficientHostCapacity": LaunchFailure.ZONE_FULL,
    "InsufficientCapacity": LaunchFailure.ZONE_FULL,
    "InsufficientReservedInstanceCapacity": LaunchFailure.ZONE_FULL,
    "Unsupported": LaunchFailure.NOT_IN_ZONE,
    "InsufficientFreeAddressesInSubnet": LaunchFailure.SUBNET_FULL,
    "VcpuLimitExceeded": LaunchFailure.QUOTA,
    "InstanceLimitExceeded": LaunchFailure.QUOTA,
    "MaxSpotInstanceCountExceeded": LaunchFailure.QUOTA,
    "IdempotentParameterMismatch": LaunchFailure.MISMATCH,
    "RequestLimitExceeded": LaunchFailure.REPEAT,
    "Throttling": LaunchFailure.REPEAT,
    "ThrottlingException": LaunchFailure.REPEAT,
    "InternalError": LaunchFailure.REPEAT,
    "InternalFailure": LaunchFailure.REPEAT,
    "Unavailable": LaunchFailure.REPEAT,
    "ServiceUnavailable": LaunchFailure.REPEAT,
}
_SPOT_CODES = {"MaxSpotInstanceCountExceeded"}
_ZONE = re.compile(r"\b[a-z]{2}(?:-[a-z]+)+-\d+[a-z]\b")
_LIMIT = re.compile(r"limit of (\d+)")


def classify_failure(code: str, message: str, http_status: int) -> LaunchFailure:
    """Return what AWS's refusal means."""
    # AWS has no code of its own for this one; the sentence is "Value (…) for parameter iamInstanceProfile.name is
    # invalid. Invalid IAM Instance Profile name".
    if code == "InvalidParameterValue" and "Invalid IAM Instance Profile" in message:
        return LaunchFailure.PROFILE_NOT_READY
    # Nor for this one: "The specified instance type is not eligible for Free Tier. For a list of …"
    if code == "InvalidParameterCombination" and "not eligible for Free Tier" in message:
        return LaunchFailure.FREE_PLAN
    # The same code for two causes: "… (g4dn.2xlarge) is not supported in your requested Availability Zone (us-east-1a) …"
    # and "The requested configuration is currently not supported …".
    if code == "Unsupported" and "Availability Zone" not in message:
        return LaunchFailure.UNSUPPORTED
    if code in _BY_CODE:
        return _BY_CODE[code]
    # A capacity refusal is a 500 too, but has a code of its own above: the rest are faults of the service.
    return LaunchFailure.REPEAT if http_status >= 500 else LaunchFailure.FATAL


def zones_offered(message: str) -> list[str]:
    """Return the zones that AWS recommends ("… or choosing us-east-1b, us-east-1c."), in its order."""
    _, found, rest = message.partition("choosing ")
    return _ZONE.findall(rest) if found else []


@dataclass(frozen=True)
class Quota:
    """A quota of EC2 that counts the vCPUs of several families together, with its codes in Service Quotas."""

    name: str
    code: str
    spot_name: str
    spot_code: str


_STANDARD = Quota(
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-1216C47A",
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    "L-34B43A08",
)
_GRAPHICS = Quota(
    "Running On-Demand G and VT instances", "L-DB2E81BA", "All G and VT Spot Instance Requests", "L-3819A6DF"
)
_P = Quota("Running On-Demand P instances", "L-417A185B", "All P Spot Instance Requests", "L-7212CCBC")
_BY_FAMILY = {
    "g": _GRAPHICS,
    "gr": _GRAPHICS,
    "vt": _GRAPHICS,
    "p": _P,
    **{
        # Rare here; the name is what a person searches for in Service Quotas.
        family: Quota(f"Running On-Demand {title} instances", "", f"All {title} Spot Instance Requests", "")
        for family, title in {
            "f": "F", "x": "X", "inf": "Inf", "trn": "Trn", "dl": "DL", "u": "High Memory", "hpc": "HPC",
        }.items()
    },
}  # fmt: skip


def quota_of(instance_type: str) -> Quota:
    """Return the quota that `instance_type` counts against: by the letters before its generation (`g4dn`: G)."""
    letters = re.match(r"[a-z]*", instance_type)
    return _BY_FAMILY.get(letters.group() if letters else "", _STANDARD)


def vcpus(instance_type: str) -> int | None:
    """Return the vCPUs of a type by its size (`2xlarge`: 8), or None for sizes that do not tell (metal)."""
    size = instance_type.partition(".")[2]
    if size in {"nano", "micro", "small", "medium", "large"}:
        return 2
    match = re.fullmatch(r"(\d*)xlarge", size)
    return 4 * int(match.group(1) or 1) if match else None


# GiB of memory for each vCPU, by the letters and generation before the dot; sizes of a family have the same ratio.
_MEMORY_PER_VCPU = {"m": 4.0, "c": 2.0, "r": 8.0, "t": 4.0, "g4dn": 4.0, "g5": 4.0, "g6": 4.0, "g6e": 8.0, "gr6": 8.0}
# GB of each GPU: T4, A10G, L4, L40S, V100, A100, H100.
_GPU_MEMORY = {"g4dn": 16.0, "g5": 24.0, "g6": 24.0, "gr6": 24.0, "g6e": 48.0, "p3": 16.0, "p4d": 40.0, "p5": 80.0}


def memory_gb(instance_type: str) -> float | None:
    """Return the memory of a type in GB, or None where its name does not tell (small t types, metal, rare families)."""
    family, _, size = instance_type.partition(".")
    count, letters = vcpus(instance_type), re.match(r"[a-z]*", family)
    ratio = _MEMORY_PER_VCPU.get(family) or _MEMORY_PER_VCPU.get(letters.group() if letters else "")
    if ratio is None or count is None or (family.startswith("t") and size in {"nano", "micro", "small", "medium"}):
        return None
    if size == "medium":
        count = 1  # of m, c and r, where there are such
    return ratio * count * 1.073741824


def gpu_memory_gb(instance_type: str) -> float | None:
    """Return the memory of one GPU of a type in GB, or None where it is not known."""
    return _GPU_MEMORY.get(instance_type.partition(".")[0])


def explain_quota(option: LaunchOption, code: str, message: str, region: str) -> tuple[str, str]:
    """Return what a quota refusal of `option` means and what to ask AWS for: a sentence and a hint."""
    instance_type, count = option.instance_type, option.count
    quota, spot = quota_of(instance_type), code in _SPOT_CODES
    name, quota_code = (quota.spot_name, quota.spot_code) if spot else (quota.name, quota.code)
    limit = _LIMIT.search(message)
    needed = (vcpus(instance_type) or 0) * count
    what = f"a {instance_type}" if count == 1 else f"{count} {instance_type}"
    needs = f"{what} {'needs' if count == 1 else 'need'} {needed}" if needed else f"too few for {what}"
    # Standard instances are the one kind that new accounts may start a few of.
    new = "" if quota is _STANDARD else ", as on every new account"
    quota_in = f"The quota '{name}' of this account in {region}"
    if limit and limit.group(1) == "0":
        sentence = f"{quota_in} is 0 vCPUs{new}; {needs}."
    elif limit:
        sentence = f"{quota_in} is {limit.group(1)} vCPUs, and not enough of it is free; {needs}."
    else:
        sentence = f"{quota_in} does not allow {what} now ({code})."
    ask = f"{needed} or more" if needed else "more"
    where = f"Service Quotas, Amazon EC2, '{name}'" + (f" ({quota_code})" if quota_code else "")
    return sentence, (
        f"Ask AWS for {ask} vCPUs: {where}, region {region}. It usually takes a day. "
        "Or set training_launch_instance_types to a type of another family."
    )


def explain_free_plan(instance_type: str) -> tuple[str, str]:
    """Return what a refusal to an account on AWS's free plan means and what to do: a sentence and a hint."""
    return (
        f"This account is on AWS's free plan, which allows only small instance types and not {instance_type}.",
        "Upgrade it to the paid plan: AWS console, Billing and Cost Management, Free Tier, Upgrade plan. Remaining "
        "credits are kept and used first. A GPU type then still needs a quota.",
    )


@dataclass(frozen=True)
class LaunchOption:
    """One thing to try: `count` instances of a type in a subnet, all or none."""

    instance_type: str
    subnet_id: str
    zone: str
    count: int = 1

    def __str__(self) -> str:
        """Return the option for people."""
        many = f"{self.count} x " if self.count > 1 else ""
        return f"{many}{self.instance_type} in {self.zone}"


@dataclass(frozen=True)
class Refusal:
    """Why a option was not available, in AWS's code and words."""

    option: LaunchOption
    failure: LaunchFailure
    code: str
    message: str

    def __str__(self) -> str:
        """Return the attempt's line."""
        return f"{self.option}: {self.failure.value} ({self.code})"


def advice(refusals: Sequence[Refusal], region: str) -> str:
    """Return what would help where every option was refused: what helps against the causes that AWS named, and no other."""
    causes = {refusal.failure for refusal in refusals}
    types, zones = "other types in training_launch_instance_types", len({refusal.option.zone for refusal in refusals})
    if LaunchFailure.ZONE_FULL in causes:
        return f"Try again later: capacity comes and goes. Or give {types}."
    if causes <= {LaunchFailure.NOT_IN_ZONE, LaunchFailure.UNSUPPORTED}:
        where = (
            f"no zone of this environment ({zones} of {region})"
            if zones > 1
            else f"not the zone of this environment in {region}"
        )
        return f"Waiting does not help: {where} offers them. Give {types}, or use another region (training_region)."
    return f"The subnets of this environment have no free addresses: remove what uses them, or give {types}."


def launch_options(instance_types: Iterable[str], subnets: dict[str, str], count: int = 1) -> list[LaunchOption]:
    """Return what to try, in order: each type in each zone. `subnets` maps subnet ids to zones, in order."""
    return [LaunchOption(kind, subnet, zone, count) for kind in instance_types for subnet, zone in subnets.items()]


def after(refusal: Refusal, left: list[LaunchOption]) -> list[LaunchOption]:
    """Return what is still worth trying of `left`, best first, now that `refusal` is known. Empty: stop."""
    if refusal.failure is LaunchFailure.QUOTA:
        # Every type of the family counts against the same quota, in every zone.
        used_up = quota_of(refusal.option.instance_type)
        return [option for option in left if quota_of(option.instance_type) != used_up]
    if refusal.failure is LaunchFailure.FREE_PLAN:
        return [option for option in left if option.instance_type != refusal.option.instance_type]
    if refusal.failure not in OF_THE_ZONE:
        return []
    offered = zones_offered(refusal.message)

    def rank(option: LaunchOption) -> int:
        same_type = option.instance_type == refusal.option.instance_type
        # The advice is about this type; a less preferred type must not overtake it.
        return offered.index(option.zone) - len(offered) if same_type and option.zone in offered else 0

    return sorted(left, key=rank)  # stable: what AWS does not name keeps its order
