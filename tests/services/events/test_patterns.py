"""Event patterns by AWS's documents: each example there, and what it says does not match."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.services.events import patterns

EVENT: dict[str, Any] = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-1", "arn:aws:ec2:us-east-1:123456789012:volume/vol-1"],
    "detail": {
        "state": "running",
        "name": "Forecast.PNG",
        "path": "dir\\file*name",
        "ip": "10.0.0.7",
        "count": 300,
        "ratio": 0.5,
        "on": True,
        "nothing": None,
        "empty": "",
        "a.b": "dotted",
        "a": {"b": "nested", "deep": {"c": 1}},
        "parts": [{"kind": "x", "size": 1}, {"kind": "y", "size": 5}],
        "tags": ["red", "green"],
    },
}


def fits(**detail: Any) -> bool:
    return patterns.matches(patterns.check(json.dumps({"detail": detail})), EVENT)


@pytest.mark.parametrize(
    "detail",
    [
        {"state": ["running"]},
        {"state": ["stopped", "running"]},
        {"state": [{"prefix": "run"}]},
        {"state": [{"suffix": "ing"}]},
        {"name": [{"prefix": {"equals-ignore-case": "FORECAST"}}]},
        {"name": [{"suffix": {"equals-ignore-case": ".png"}}]},
        {"name": [{"equals-ignore-case": "forecast.png"}]},
        {"name": [{"wildcard": "*cast.P*"}]},
        {"path": [{"wildcard": "dir\\\\*\\*name"}]},
        {"state": [{"anything-but": "stopped"}]},
        {"state": [{"anything-but": ["stopped", "pending"]}]},
        {"state": [{"anything-but": {"prefix": "stop"}}]},
        {"state": [{"anything-but": {"suffix": ["ed", "x"]}}]},
        {"state": [{"anything-but": {"equals-ignore-case": ["STOPPED"]}}]},
        {"state": [{"anything-but": {"wildcard": "*ped"}}]},
        {"count": [300]},
        {"count": [{"numeric": ["=", 3e2]}]},
        {"count": [{"numeric": [">", 0, "<=", 300]}]},
        {"count": [{"anything-but": 100}]},
        {"ratio": [{"numeric": ["<", 1]}]},
        {"on": [True]},
        {"nothing": [None]},
        {"empty": [""]},
        {"ip": [{"cidr": "10.0.0.0/24"}]},
        {"state": [{"exists": True}]},
        {"missing": [{"exists": False}]},
        {"a": {"missing": [{"exists": False}]}},
        {"a.b": ["dotted"]},
        {"a": {"b": ["nested"], "deep": {"c": [1]}}},
        {"parts": {"kind": ["y"], "size": [5]}},
        {"tags": ["green"]},
        {"tags": [{"prefix": "r"}]},
        {"$or": [{"state": ["stopped"]}, {"count": [{"numeric": [">", 5]}]}]},
        {"state": ["running"], "$or": [{"x": [1]}, {"a": {"b": ["nested"]}}]},
    ],
)
def test_what_matches(detail: dict[str, Any]) -> None:
    assert fits(**detail)


@pytest.mark.parametrize(
    "detail",
    [
        {"state": ["Running"]},
        {"state": ["running"], "count": [1]},
        {"count": ["300"]},
        {"count": [300.0]},  # "300, 300.0, and 3.0e2 are not considered equal"
        {"on": [1]},
        {"on": ["true"]},
        {"missing": [None]},
        {"missing": [{"anything-but": "x"}]},
        {"nothing": [""]},
        {"state": [{"numeric": ["=", 1]}]},
        {"on": [{"numeric": ["=", 1]}]},
        {"a": [{"exists": True}]},  # only leaves exist
        {"state": [{"exists": False}]},
        {"state": [{"anything-but": {"prefix": ["x", "run"]}}]},
        {"ip": [{"cidr": "10.0.1.0/24"}]},
        {"name": [{"cidr": "10.0.1.0/24"}]},
        {"parts": {"kind": ["x"], "size": [5]}},  # of two different parts
        {"a": {"b": ["dotted"]}},
        {"state": {"deeper": ["running"]}},
        {"$or": [{"state": ["stopped"]}, {"count": [1]}]},
        {"path": [{"wildcard": "dir\\\\file\\*"}]},
    ],
)
def test_what_does_not_match(detail: dict[str, Any]) -> None:
    assert not fits(**detail)


def test_the_whole_event_is_matched() -> None:
    for pattern, fits_it in (
        ({"source": ["aws.ec2"]}, True),
        ({"source": [{"prefix": "aws."}], "resources": [{"suffix": "volume/vol-1"}]}, True),
        ({"source": ["aws.s3"]}, False),
    ):
        assert patterns.matches(patterns.check(json.dumps(pattern)), EVENT) is fits_it


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "not an object"),
        ("{}", "Empty patterns"),
        ('{"source": "aws.ec2"}', "must be an object or an array"),
        ('{"source": []}', "Empty arrays"),
        ('{"detail": {}}', "Empty objects"),
        ('{"source": [{"starts-with": "a"}]}', "Unrecognized match type starts-with"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"source": [{"prefix": 1}]}', "must be a string"),
        ('{"source": [{"prefix": ""}]}', "must not be empty"),
        ('{"source": [{"exists": "true"}]}', "exists"),
        ('{"source": [{"numeric": [">", "1"]}]}', "must be numeric"),
        ('{"source": [{"numeric": ["!", 1]}]}', "operator"),
        ('{"source": [{"numeric": [">", 5, "<", 1]}]}', "Bottom"),
        ('{"source": [{"numeric": [">", 6e9]}]}', "between"),
        ('{"source": [{"cidr": "10.0.0.0/99"}]}', "CIDR"),
        ('{"source": [{"wildcard": "a**b"}]}', "Consecutive"),
        ('{"source": [{"wildcard": "a\\\\b"}]}', "escape"),
        ('{"source": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}', "anything-but"),
        ('{"source": [["a"]]}', "Match value"),
        ('{"detail": {"$or": [{"a": [1]}]}}', "two or more"),
    ],
)
def test_what_is_no_pattern(pattern: str, said: str) -> None:
    with pytest.raises(patterns.InvalidPattern, match=said):
        patterns.check(pattern)
