"""Gaps of moto that local_aws/services/events closes: a test that fails here says that moto has closed one itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.events.models import EventPattern


def client(name: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(name, region_name="us-east-1", **keys)  # type: ignore[call-overload]


@pytest.fixture
def events() -> Iterator[Any]:
    with mock_aws():
        made = client("events")
        made.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
        yield made


def put(events: Any, source: str = "mine") -> Any:
    return events.put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": "{}"}])


@pytest.mark.parametrize(
    "arn", ["arn:aws:sns:us-east-1:123456789012:t", "arn:aws:lambda:us-east-1:123456789012:function:f"]
)
def test_motos_rules_know_no_topic_and_no_function(events: Any, arn: str) -> None:
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    with pytest.raises((NotImplementedError, events.exceptions.ClientError)):
        put(events)


def test_motos_disabled_rules_send_and_no_queue_is_asked(events: Any) -> None:
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
    events.disable_rule(Name="r")
    put(events)
    assert client("sqs").receive_message(QueueUrl=url)["Messages"]


def test_moto_takes_aws_as_a_source(events: Any) -> None:
    assert put(events, "aws.ec2")["FailedEntryCount"] == 0


def test_motos_patterns() -> None:
    def matches(pattern: Any, detail: Any) -> bool:
        return bool(EventPattern.load(json.dumps({"detail": pattern})).matches_event({"detail": detail}))  # type: ignore[typeddict-item]

    assert matches({"x": [{"no-such-operator": 1}]}, {"x": 2})
    assert not matches({"parts": {"kind": ["y"]}}, {"parts": [{"kind": "y"}]})
    assert matches({"x": [1]}, {"x": True})
    assert matches({"a": {"b": [1]}}, {"a.b": 1})
