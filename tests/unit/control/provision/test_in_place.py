"""What exists is found by what never changes; what AWS cannot change in place is refused, everything at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chronos_training.control.provision import in_place
from chronos_training.control.provision.in_place import Found, Wish
from chronos_training.control.provision.names import Names
from chronos_training.core.errors import ConfigurationError

TAGS = {"Project": "P", "Environment": "dev", "CostCenter": "c", "ManagedBy": "Ansible"}
NAMES = Names("dev", "us-east-1", "the-bucket", TAGS)
RANGES = ("10.40.0.0/20", "10.40.16.0/20")
WISH = Wish(NAMES, "10.40.0.0/16", RANGES)
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TRUST = {
    "Statement": [
        {"Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/g"}}}
    ]
}
FOUND = Found(
    vpcs=[{"VpcId": "vpc-1", "CidrBlock": "10.40.0.0/16", "Tags": [{"Key": "Project", "Value": "P"}]}],
    subnets=[
        {"SubnetId": "subnet-1", "CidrBlock": RANGES[0], "AvailabilityZone": "us-east-1b"},
        {"SubnetId": "subnet-2", "CidrBlock": RANGES[1], "AvailabilityZone": "us-east-1c"},
    ],
    route_tables=[{"RouteTableId": "rtb-1"}],
    termination_schedule_role={"AssumeRolePolicyDocument": TRUST},
    bucket="the-bucket",
    bucket_region="us-east-1",
    zones=ZONES,
)


@pytest.mark.parametrize(
    "wish",
    [
        WISH,
        replace(WISH, names=replace(NAMES, tags={**TAGS, "CostCenter": "other", "Team": "new"})),
        replace(WISH, ranges=(*RANGES, "10.40.32.0/20")),
        replace(WISH, zones=("us-east-1b", "us-east-1c")),
    ],
)
def test_what_can_be_changed_is_let_through(wish: Wish) -> None:
    in_place.check(FOUND, wish)
    in_place.check(Found(zones=ZONES), wish)  # there is nothing yet


@pytest.mark.parametrize(
    ("found", "wish", "said"),
    [
        (FOUND, replace(WISH, names=replace(NAMES, region="eu-west-1")), "was provisioned in us-east-1"),
        (FOUND, replace(WISH, names=replace(NAMES, tags={**TAGS, "Project": "Q"})), "was provisioned as P (vpc-1)"),
        (FOUND, replace(WISH, names=replace(NAMES, bucket="b-2")), "environment dev has its data in the-bucket"),
        (replace(FOUND, bucket_region="eu-west-1"), WISH, "The bucket the-bucket is in eu-west-1"),
        (FOUND, replace(WISH, cidr="10.50.0.0/16"), "AWS cannot change the range of a VPC"),
        (FOUND, replace(WISH, ranges=RANGES[:1]), "lacks 10.40.16.0/20 of the subnet subnet-2"),
        (
            FOUND,
            replace(WISH, zones=("us-east-1a", "us-east-1c")),
            "the subnet subnet-1 lies in us-east-1b: AWS cannot move a",
        ),
    ],
)
def test_what_cannot_be_changed_is_refused(found: Found, wish: Wish, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        in_place.check(found, wish)
    assert said in str(error.value)
    assert "Nothing was changed." in str(error.value) and "make teardown ENV=dev" in str(error.value)


def test_everything_is_told_at_once() -> None:
    other = Wish(replace(NAMES, region="eu-west-1", bucket="b-2"), "10.50.0.0/16", ("10.50.0.0/20", "10.50.16.0/20"))
    with pytest.raises(ConfigurationError) as error:
        in_place.check(FOUND, other)
    assert len(str(error.value).splitlines()) == 7


def test_a_subnet_keeps_its_zone_and_a_new_one_gets_one_that_has_none() -> None:
    more = replace(WISH, ranges=("10.40.32.0/20", *RANGES))
    assert in_place.zones(FOUND, more) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    # A zone that AWS no longer lists is still that of the subnet in it.
    assert in_place.zones(replace(FOUND, zones=("us-east-1a", "us-east-1c")), WISH) == ["us-east-1b", "us-east-1c"]
    assert in_place.zones(Found(zones=ZONES), WISH) == ["us-east-1a", "us-east-1b"]


def test_too_few_zones_are_told() -> None:
    with pytest.raises(ConfigurationError, match="has 2 ranges, but there are only 1 zones"):
        in_place.zones(Found(zones=("us-east-1a",)), WISH)


def test_the_route_table_is_found_by_its_id() -> None:
    nothing: Any = Found()
    assert (in_place.route_table(FOUND), in_place.route_table(nothing)) == ("rtb-1", "")
