"""Condition operators, keys with several values, policy variables, patterns: as the IAM reference has them."""

from __future__ import annotations

import pytest

from local_aws.iam.conditions import UnknownElement, fill, holds, matches

CONTEXT: dict[str, str | list[str]] = {
    "aws:securetransport": "true",
    "s3:tlsversion": "1.3",
    "aws:sourceip": "127.0.0.1",
    "aws:username": "ada",
    "aws:currenttime": "2026-01-02T03:04:05Z",
    "aws:requesttag/environment": "dev",
    "aws:tagkeys": ["Project", "Environment"],
    "ec2:volumesize": "100",
    "ec2:instanceprofile": "arn:aws:iam::123456789012:instance-profile/chronos-training-dev-instance",
    "s3:prefix": "dev/runs/",
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"Bool": {"AWS:securetransport": ["true"]}}, True),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, False),
        ({"NumericLessThanEquals": {"ec2:VolumeSize": "100"}}, True),
        ({"NumericNotEquals": {"ec2:VolumeSize": "100"}}, False),
        ({"Null": {"aws:SecureTransport": "true"}}, False),
        ({"Null": {"aws:PrincipalArn": "true"}}, True),
        ({"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, True),
        ({"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8"]}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}, "Null": {"aws:SecureTransport": "true"}}, False),
        ({"StringEquals": {"aws:RequestTag/Environment": ["stage", "dev"]}}, True),
        ({"StringEquals": {"aws:RequestTag/Environment": "Dev"}}, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestTag/Environment": "DEV"}}, True),
        ({"StringNotEquals": {"aws:RequestTag/Environment": ["stage", "dev"]}}, False),
        ({"StringNotEquals": {"aws:RequestTag/Other": "x"}}, True),
        ({"StringLike": {"s3:prefix": ["dev/*", "runtime/*"]}}, True),
        ({"StringLike": {"s3:prefix": "dev/[r]uns/"}}, False),
        ({"StringLike": {"s3:prefix": "${aws:username}/*"}}, False),
        ({"StringLike": {"s3:prefix": "${aws:PrincipalTag/team}/*"}}, False),
        ({"StringLikeIfExists": {"s3:delimiter": "/"}}, True),
        ({"ArnLike": {"ec2:InstanceProfile": "arn:aws:iam::*:instance-profile/chronos-training-dev-*"}}, True),
        ({"ArnLike": {"ec2:InstanceProfile": "arn:*:instance-profile/chronos-training-dev-*"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Project", "Environment", "RunId"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Project"]}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["Project"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:RequestTag/Other": ["x"]}}, True),
        ({"ForAnyValue:StringNotEquals": {"aws:RequestTag/Other": ["x"]}}, False),
        ({"DateLessThan": {"aws:CurrentTime": "2026-01-03T00:00:00Z"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-03"}}, False),
    ],
)
def test_an_operator_holds_or_not(condition: dict, expected: bool) -> None:
    assert holds(condition, CONTEXT) is expected


@pytest.mark.parametrize(
    "condition",
    [
        {"StringAlmostEquals": {"aws:username": "ada"}},
        {"NotBool": {"aws:SecureTransport": "true"}},
        {"NumericNotLessThan": {"ec2:VolumeSize": "1"}},
        {"SomeValues:StringEquals": {"aws:TagKeys": "a"}},
        {"StringEquals": {"aws:Moon": "full"}},
        {"StringEquals": {"ec2:ResourceTagg/a": "b"}},
        {"StringEquals": {"aws:username": "${aws:Moon}"}},
        # The first does not hold; the second is found all the same.
        {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:Moon": "full"}},
    ],
)
def test_what_is_not_known_is_never_taken_for_true_or_false(condition: dict) -> None:
    with pytest.raises(UnknownElement):
        holds(condition, CONTEXT)


def test_a_variable_that_holds_a_wildcard_matches_only_itself() -> None:
    context = {"aws:username": "a*"}
    pattern = fill("arn:aws:s3:::home/${aws:username}/*", context)
    assert pattern is not None
    assert matches("arn:aws:s3:::home/a*/x", pattern)
    assert not matches("arn:aws:s3:::home/ab/x", pattern)
    assert fill("${aws:PrincipalTag/team, 'none'}/x", {}) == "none/x"
    assert fill("${*}", {}, literal=True) == "*"
