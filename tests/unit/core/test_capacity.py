"""What AWS's refusals mean and where to try next, in AWS's own words."""

from __future__ import annotations

import pytest

from chronos_training.core.capacity import (
    LaunchFailure,
    LaunchOption,
    Refusal,
    after,
    classify_failure,
    explain_quota,
    launch_options,
    quota_of,
    vcpus,
    zones_offered,
)

FULL = (
    "We currently do not have sufficient g4dn.2xlarge capacity in the Availability Zone you requested (us-east-1a). Our "
    "system will be working on provisioning additional capacity. You can currently get g4dn.2xlarge capacity by not "
    "specifying an Availability Zone in your request or choosing us-east-1c, us-east-1d."
)
UNSUPPORTED = (
    "Your requested instance type (g4dn.2xlarge) is not supported in your requested Availability Zone (us-east-1e). "
    "Please retry your request by not specifying an Availability Zone or choosing us-east-1a, us-east-1b."
)
VCPU = (
    "You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance bucket that the "
    "specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "
    "adjustment to this limit."
)
FREE_PLAN = (
    "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run "
    "'describe-instance-types' with the filter 'free-tier-eligible=true'."
)
PROFILE = (
    "Value (chronos-training-dev-instance) for parameter iamInstanceProfile.name is invalid. "
    "Invalid IAM Instance Profile name"
)
SUBNETS = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b", "subnet-c": "us-east-1c"}


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("InsufficientInstanceCapacity", FULL, 500, LaunchFailure.ZONE_FULL),
        ("Unsupported", UNSUPPORTED, 400, LaunchFailure.NOT_IN_ZONE),
        ("InsufficientFreeAddressesInSubnet", "", 400, LaunchFailure.SUBNET_FULL),
        ("VcpuLimitExceeded", VCPU.format(0), 400, LaunchFailure.QUOTA),
        ("InstanceLimitExceeded", "", 400, LaunchFailure.QUOTA),
        ("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded", 400, LaunchFailure.QUOTA),
        ("InvalidParameterCombination", FREE_PLAN, 400, LaunchFailure.FREE_PLAN),
        ("InvalidParameterCombination", "Network interfaces and subnet IDs", 400, LaunchFailure.FATAL),
        ("InvalidParameterValue", PROFILE, 400, LaunchFailure.PROFILE_NOT_READY),
        ("InvalidParameterValue", "Value (x) for parameter groupId is invalid.", 400, LaunchFailure.FATAL),
        ("RequestLimitExceeded", "", 503, LaunchFailure.REPEAT),
        ("InternalError", "", 500, LaunchFailure.REPEAT),
        ("SomethingNew", "", 502, LaunchFailure.REPEAT),
        ("IdempotentParameterMismatch", "", 400, LaunchFailure.MISMATCH),
        ("UnauthorizedOperation", "", 403, LaunchFailure.FATAL),
    ],
)
def test_refusals_are_told_apart(code, message, status, expected):
    assert classify_failure(code, message, status) is expected


def test_the_zones_that_aws_names_are_read_and_the_refused_one_is_not():
    assert zones_offered(FULL) == ["us-east-1c", "us-east-1d"]
    assert zones_offered(UNSUPPORTED) == ["us-east-1a", "us-east-1b"]
    assert zones_offered("choosing us-gov-west-1a, or ap-southeast-2b.") == ["us-gov-west-1a", "ap-southeast-2b"]
    assert zones_offered("There is no Spot capacity available that matches your request.") == []


def refused(
    index: int, left: list[LaunchOption], what: LaunchFailure, message: str = ""
) -> tuple[Refusal, list[LaunchOption]]:
    option = left.pop(index)
    return Refusal(option, what, what.name, message), left


def zones(left: list[LaunchOption]) -> list[str]:
    return [f"{option.instance_type} {option.zone[-1]}" for option in left]


def test_every_type_in_every_zone_in_the_order_given():
    assert zones(launch_options(["g5.xlarge", "p3.2xlarge"], SUBNETS)) == [
        "g5.xlarge a", "g5.xlarge b", "g5.xlarge c", "p3.2xlarge a", "p3.2xlarge b", "p3.2xlarge c",
    ]  # fmt: skip


def test_zones_that_aws_names_come_first_but_no_other_type_overtakes():
    left = launch_options(["g4dn.2xlarge", "g5.2xlarge"], SUBNETS)
    left = after(*refused(0, left, LaunchFailure.ZONE_FULL, FULL))
    assert zones(left) == ["g4dn.2xlarge c", "g4dn.2xlarge b", "g5.2xlarge a", "g5.2xlarge b", "g5.2xlarge c"]
    left = after(*refused(0, left, LaunchFailure.NOT_IN_ZONE))
    assert zones(left)[0] == "g4dn.2xlarge b"


def test_a_quota_rules_out_its_whole_family_and_nothing_else():
    left = launch_options(["g4dn.2xlarge", "g5.2xlarge", "vt1.3xlarge", "p3.2xlarge", "m5.large"], SUBNETS)
    left = after(*refused(0, left, LaunchFailure.QUOTA))
    assert {option.instance_type for option in left} == {"p3.2xlarge", "m5.large"}
    assert after(*refused(0, launch_options(["g5.xlarge"], SUBNETS), LaunchFailure.QUOTA)) == []


def test_the_free_plan_rules_out_the_type_and_nothing_else():
    left = launch_options(["m5.large", "g4dn.xlarge"], SUBNETS)
    assert zones(after(*refused(0, left, LaunchFailure.FREE_PLAN))) == [
        "g4dn.xlarge a",
        "g4dn.xlarge b",
        "g4dn.xlarge c",
    ]


def test_what_would_fail_everywhere_stops():
    for what in (LaunchFailure.MISMATCH, LaunchFailure.FATAL):
        assert after(*refused(0, launch_options(["g5.xlarge"], SUBNETS), what)) == []


@pytest.mark.parametrize(
    ("instance_type", "name"),
    [
        ("g4dn.2xlarge", "Running On-Demand G and VT instances"),
        ("gr6.4xlarge", "Running On-Demand G and VT instances"),
        ("vt1.3xlarge", "Running On-Demand G and VT instances"),
        ("p4d.24xlarge", "Running On-Demand P instances"),
        ("trn1.2xlarge", "Running On-Demand Trn instances"),
        ("inf2.xlarge", "Running On-Demand Inf instances"),
        ("m5.large", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
        ("im4gn.large", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    ],
)
def test_the_quota_of_a_type(instance_type, name):
    assert quota_of(instance_type).name == name


def test_vcpus_by_size():
    assert [vcpus(t) for t in ("m5.large", "g5.xlarge", "g4dn.2xlarge", "p4d.24xlarge", "m5.metal")] == [
        2, 4, 8, 96, None,
    ]  # fmt: skip


def test_a_quota_of_zero_is_said_as_such_with_what_to_ask_for():
    sentence, hint = explain_quota(
        LaunchOption("g4dn.2xlarge", "s", "z"), "VcpuLimitExceeded", VCPU.format(0), "eu-west-1"
    )
    assert sentence == (
        "The quota 'Running On-Demand G and VT instances' of this account in eu-west-1 is 0 vCPUs, as on every new "
        "account; a g4dn.2xlarge needs 8."
    )
    assert (
        "Ask AWS for 8 or more vCPUs: Service Quotas, Amazon EC2" in hint and "(L-DB2E81BA), region eu-west-1" in hint
    )
    sentence, _ = explain_quota(LaunchOption("p3.2xlarge", "s", "z"), "VcpuLimitExceeded", VCPU.format(4), "eu-west-1")
    assert "is 4 vCPUs, and not enough of it is free; a p3.2xlarge needs 8." in sentence
    sentence, hint = explain_quota(
        LaunchOption("g5.metal", "s", "z"), "MaxSpotInstanceCountExceeded", "Max spot instance count exceeded", "r"
    )
    assert "All G and VT Spot Instance Requests" in sentence and "more vCPUs" in hint
