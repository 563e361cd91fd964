"""AWS's own rules for the values that a person may set, so that a wrong one is refused before anything is made.

Patterns and lengths come from botocore's service models at run time. What the models lack is here, each with the
document that it comes from. A rule takes a value and returns what is right, with an example; empty: the value is.
"""

from __future__ import annotations

import difflib
import functools
import ipaddress
import math
import re
from collections.abc import Callable
from typing import Any

from botocore.regions import EndpointResolver

from chronos_training.control.options.aws_patterns import fits
from chronos_training.core import aws
from chronos_training.core.layout import bucket_name
from chronos_training.core.termination_schedule import schedule_name

Rule = Callable[[Any], str]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_BEGINNINGS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDINGS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html and subnet-sizing.html
_LARGEST_RANGE, _SMALLEST_RANGE = 16, 28
# https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html: gp3, in GiB
_GP3 = (1, 65_536)
# The tags that a launch adds to the inventory's, of the 50 that a resource may have:
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_MOST_TAGS = 50 - len(("Name", "RunId"))
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html#instance-type-names
_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER = re.compile(r"(/[a-zA-Z0-9_.-]+){1,15}")
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_REGION = re.compile(
    r"[a-z]+(-gov|-iso[a-z]*)?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-\d{1,2}"
)
# https://docs.github.com/en/get-started/using-git/dealing-with-special-characters-in-branch-and-tag-names, and no wildcard of IAM
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_GITHUB_BRANCH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
# With the numbers that GitHub puts into the tokens of repositories made since July 2026, or without them.
_GITHUB_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9_.-]+|@[0-9]+/[A-Za-z0-9_.-]+@[0-9]+)")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]*")


def shape(service: str, name: str) -> dict[str, Any]:
    """Return a shape of a service's model as botocore has it: its `pattern`, `min` and `max`."""
    loader = aws.model_loader()
    found: dict[str, Any] = loader.load_service_model(service, "service-2")["shapes"][name]
    return found


def _fits_shape(value: str, service: str, name: str) -> bool:
    rules = shape(service, name)
    within = int(rules.get("min", 0)) <= len(value) <= int(rules.get("max", len(value)))
    return within and ("pattern" not in rules or fits(rules["pattern"], value))


def text(value: Any) -> str:
    """A whole number is taken as text; what YAML made something else of is not what was written."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return ""
    return f"YAML reads it as {str(value).lower()}, but text is expected: put it in quotes"


def tag_value(value: Any) -> str:
    """IAM and SSM say which characters, EventBridge Scheduler that there must be one."""
    if said := text(value):
        return said
    shapes = (("iam", "tagValueType"), ("scheduler", "TagValue"))
    if all(_fits_shape(str(value), service, name) for service, name in shapes):
        return ""
    longest = shape("iam", "tagValueType")["max"]
    return f"a tag's value must have 1 to {longest} letters, digits, spaces and _ . : / = + - @; for example research"


def tag_key(value: Any) -> str:
    """As `tag_value`, and AWS keeps names that begin with aws: for itself."""
    if _fits_shape(str(value), "iam", "tagKeyType") and not str(value).lower().startswith("aws:"):
        return ""
    longest = shape("iam", "tagKeyType")["max"]
    return (
        f"a tag's name must have 1 to {longest} letters, digits, spaces and _ . : / = + - @, and must not begin with "
        "aws:; for example CostCenter"
    )


def tag_count(value: dict[str, Any]) -> str:
    """AWS's limit for one resource, less what a launch adds; IAM takes no two names that differ by case alone."""
    if len(value) > _MOST_TAGS:
        return (
            f"{len(value)} tags are too many: AWS allows 50 and a launch adds 2, so at most {_MOST_TAGS} are possible"
        )
    lower = [str(key).lower() for key in value]
    twice = sorted({str(key) for key in value if lower.count(str(key).lower()) > 1})
    return f"{' and '.join(twice)} are the same name to IAM: keep one of them" if twice else ""


def bucket(value: Any) -> str:
    """S3's rules for the names of general purpose buckets."""
    name = str(value)
    right = (
        _BUCKET.fullmatch(name)
        and ".." not in name
        and not re.fullmatch(r"\d+(\.\d+){3}", name)
        and not name.startswith(_RESERVED_BEGINNINGS)
        and not name.endswith(_RESERVED_ENDINGS)
    )
    if right:
        return ""
    if name.startswith(_RESERVED_BEGINNINGS):
        return f"AWS reserves names that begin with {' or '.join(_RESERVED_BEGINNINGS)}; for example team-forecasts"
    if name.endswith(_RESERVED_ENDINGS):
        return f"AWS reserves names that end with {' or '.join(_RESERVED_ENDINGS)}; for example team-forecasts"
    likely = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    example = likely if re.search(r"[a-z]", likely) and len(likely) > 2 else "team-forecasts"
    return (
        "S3 requires 3 to 63 lower-case letters, digits, hyphens and single dots, a letter or digit at both ends, and "
        f"no IP address; for example {example}"
    )


def region(value: Any) -> str:
    """A region that boto3 knows, or one that looks like a region: AWS opens new ones between two releases of boto3."""
    name = str(value)
    known = _regions()
    if name in known or (_REGION.fullmatch(name) and not difflib.get_close_matches(name, known, 1, 0.95)):
        return ""
    near = difflib.get_close_matches(name, known, 1)
    return f"it is not an AWS region; for example {near[0] if near else 'us-east-1'}"


@functools.cache
def _regions() -> tuple[str, ...]:
    endpoints = aws.model_loader().load_data("endpoints")
    resolver = EndpointResolver(endpoints)
    listed = (resolver.get_available_endpoints("ec2", partition) for partition in resolver.get_available_partitions())
    return tuple(sorted(name for names in listed for name in names))


def environment(value: Any) -> str:
    """Every name that is made of an environment's must fit: roles, policies, schedules, parameters, the bucket."""
    name = str(value)
    if not _ENVIRONMENT.fullmatch(name):
        return "it must have lower-case letters, digits and hyphens only, and begin with a letter; for example dev"
    group = f"chronos-training-{name}"
    try:
        schedule_name(name, "20260101-010101", 99)
    except ValueError:
        return f"schedule names contain it ({group}-<run>-<number>) and have at most 64 characters; for example dev"
    made = (
        (f"{group}-scheduler", "iam", "roleNameType"),
        (f"{group}-administrator", "iam", "policyNameType"),
        (group, "scheduler", "ScheduleGroupName"),
    )
    wrong = [one for one, service, kind in made if not _fits_shape(one, service, kind)]
    return f"the name {wrong[0]} contains it and is too long; for example dev" if wrong else ""


def default_bucket(env: str, region: str) -> str:
    """Return what is wrong with the bucket's name that is made of both, whatever the account."""
    name = bucket_name(env, "0" * 12, region)
    return (
        f"the bucket's name contains it: {name} has {len(name)} characters, and 63 are allowed"
        if len(name) > 63
        else ""
    )


def vpc_range(value: Any) -> str:
    """AWS would change 10.0.0.5/16 into 10.0.0.0/16, and it would not be found again by what was given."""
    if said := _range(value):
        return said
    block = ipaddress.IPv4Network(str(value))
    if block.is_loopback or block.is_link_local or block.is_multicast or block.is_reserved or block[0].packed[0] == 0:
        return "a VPC cannot have these addresses: take a range in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16; for example 10.40.0.0/16"
    return ""


def _range(value: Any, example: str = "10.40.0.0/16") -> str:
    try:
        block = ipaddress.IPv4Network(str(value))
    except ValueError:
        try:
            block = ipaddress.IPv4Network(str(value), strict=False)
        except ValueError:
            return f"it is not an IPv4 address range; for example {example}"
        fits_ = _LARGEST_RANGE <= block.prefixlen <= _SMALLEST_RANGE
        return f"a range of this size does not begin there; for example {block if fits_ else example}"
    if not _LARGEST_RANGE <= block.prefixlen <= _SMALLEST_RANGE:
        return f"AWS allows ranges from /{_LARGEST_RANGE} to /{_SMALLEST_RANGE}; for example {example}"
    return ""


def subnet_ranges(values: list[Any], whole: Any) -> list[tuple[Any, str]]:
    """Return each wrong range with what is right. `whole` is the VPC's range; a wrong one is told of elsewhere."""
    told = [(value, said) for value in values if (said := _range(value, "10.40.0.0/20"))]
    blocks = [(value, ipaddress.IPv4Network(str(value))) for value in values if not _range(value)]
    if not vpc_range(whole):
        outer = ipaddress.IPv4Network(str(whole))
        told += [
            (
                value,
                f"it must lie in training_network_cidr, {outer}; for example {next(outer.subnets(new_prefix=_smaller(outer)))}",
            )
            for value, block in blocks
            if not block.subnet_of(outer)
        ]
    for number, (value, block) in enumerate(blocks):
        others = [str(other) for other, one in blocks[:number] if one.overlaps(block)]
        told += [(value, f"it overlaps {others[0]}; subnets cannot share addresses")] if others else []
    return told


def _smaller(block: ipaddress.IPv4Network) -> int:
    return min(block.prefixlen + 4, _SMALLEST_RANGE)


def zone(value: Any, region_: str) -> str:
    """A zone is its region's name and a letter."""
    right = re.fullmatch(rf"{re.escape(region_)}[a-z]", str(value)) is not None
    return "" if right else f"a zone of {region_} is its name and a letter; for example {region_}a"


def instance_type(value: Any) -> str:
    """The shape of the name; whether there is such a type in the region AWS alone knows."""
    if _INSTANCE_TYPE.fullmatch(str(value)):
        return ""
    return "it must be a family, a dot and a size; for example g4dn.2xlarge"


def image_parameter(value: Any) -> str:
    """The path of an SSM parameter."""
    if _PARAMETER.fullmatch(str(value)) and len(str(value)) <= 1011:
        return ""
    return (
        "it must be the path of an SSM parameter: letters, digits and _ . - between slashes; for example "
        "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
    )


def volume(value: Any) -> str:
    """EBS's limits for gp3."""
    least, most = _GP3
    return "" if least <= int(value) <= most else f"a gp3 volume has {least} to {most:,} GB; for example 100"


def at_least(least: float, example: Any) -> Rule:
    """Return the rule for a finite number that is `least` or more."""

    def rule(value: Any) -> str:
        right = math.isfinite(float(value)) and float(value) >= least
        return "" if right else f"it must be a number of at least {least:g}; for example {example}"

    return rule


def above_zero(example: Any) -> Rule:
    """Return the rule for a finite number above 0."""

    def rule(value: Any) -> str:
        right = math.isfinite(float(value)) and float(value) > 0
        return "" if right else f"it must be a number above 0; for example {example}"

    return rule


def price(value: Any) -> str:
    """Empty for the price table, or dollars."""
    if str(value).strip() == "":
        return ""
    try:
        return at_least(0, 0.94)(value)
    except ValueError:
        return "it must be US dollars per hour, at least 0, or empty to use the price table; for example 0.94"


def github_repository(value: Any) -> str:
    """The rule for a repository of GitHub, or none."""
    return (
        ""
        if not value or _GITHUB_REPOSITORY.fullmatch(value)
        else "it must be owner/name, or owner@number/name@number; for example acme/forecasts or acme@1234/forecasts@5678"
    )


def commit(value: Any) -> str:
    """The rule for a commit, or none: a branch is another commit tomorrow."""
    return (
        "" if not value or _COMMIT.fullmatch(value) else "it must be a commit's 40 digits, as git rev-parse HEAD prints"
    )


def email(value: Any) -> str:
    """The rule for an address: SNS takes what looks like none, and then nobody confirms it."""
    return "" if _EMAIL.fullmatch(str(value)) else "it must be an e-mail address; for example ada@example.org"


def github_branch(value: Any) -> str:
    """The rule for one branch: a pattern would let others deploy."""
    return "" if _GITHUB_BRANCH.fullmatch(value) else "it must be the name of one branch; for example main"


_IMAGE_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_MODEL_VERSION = re.compile(r"[a-z][a-z0-9-]*-[0-9]{8}-[0-9a-f]{8}")


def image_digest(value: Any) -> str:
    """The rule for an image by its digest, or none yet."""
    example = "123456789012.dkr.ecr.us-east-1.amazonaws.com/volatility-dev-api@sha256:… (64 digits)"
    return (
        ""
        if not value or _IMAGE_DIGEST.fullmatch(value)
        else f"it must be REPOSITORY@sha256:DIGEST; for example {example}"
    )


def model_version(value: Any) -> str:
    """The rule for the version of a volatility model, or none."""
    right = not value or _MODEL_VERSION.fullmatch(value)
    return "" if right else "it must be a model's version, as /info names it; for example log-har-x-20261127-cbc17b63"


def share(value: Any) -> str:
    """The rule for a share above 0, of at most 1."""
    return "" if 0 < float(value) <= 1 else "it must be above 0 and at most 1; for example 0.1"


def url_pattern(value: Any) -> str:
    """The rule for where a stage of an API answers."""
    right = str(value).startswith(("https://", "http://")) and "API" in value and "STAGE" in value
    return (
        ""
        if right
        else "it must be a URL with API and STAGE in it; for example https://volatility.example.org/API/STAGE"
    )
