"""moto alone, without the embedded AWS: a test that fails says that moto has closed a gap, and that ours can go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


@pytest.fixture
def logs() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("logs", **KEYS)
        client.create_log_group(logGroupName="g")
        for stream in ("one", "two"):
            client.create_log_stream(logGroupName="g", logStreamName=stream)
        yield client


def put(logs: Any, text: str, stream: str = "one", ago: float = 1.0) -> dict[str, Any]:
    event = {"timestamp": int((time.time() - ago) * 1000), "message": text}
    answer: dict[str, Any] = logs.put_log_events(logGroupName="g", logStreamName=stream, logEvents=[event])
    return answer


def filtered(logs: Any, **given: Any) -> list[str]:
    return [event["message"] for event in logs.filter_log_events(logGroupName="g", **given)["events"]]


def test_patterns_match_parts_of_words_and_everything(logs: Any) -> None:
    put(logs, "ERRORS")
    assert filtered(logs, filterPattern="ERROR") == ["ERRORS"]
    assert filtered(logs, filterPattern="{ $.a = 1 }") == ["ERRORS"]


def test_streams_come_one_after_the_other_and_prefixes_are_ignored(logs: Any) -> None:
    put(logs, "second", "one", ago=1)
    put(logs, "first", "two", ago=2)
    assert filtered(logs) == ["second", "first"]
    assert filtered(logs, logStreamNamePrefix="tw") == ["second", "first"]


def test_the_end_is_included(logs: Any) -> None:
    put(logs, "x")
    [event] = logs.get_log_events(logGroupName="g", logStreamName="one")["events"]
    assert logs.get_log_events(logGroupName="g", logStreamName="one", endTime=event["timestamp"])["events"] != []


def test_retention_is_not_executed(logs: Any) -> None:
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    put(logs, "old", ago=3 * 86_400)
    assert filtered(logs) == ["old"]


def test_metric_filters_are_stored_twice_and_not_evaluated(logs: Any) -> None:
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    for _ in range(2):
        logs.put_metric_filter(
            logGroupName="g", filterName="f", filterPattern="{ $.a ", metricTransformations=[transformation]
        )
    assert len(logs.describe_metric_filters(logGroupName="g")["metricFilters"]) == 2
    put(logs, '{"a": 1}')
    assert boto3.client("cloudwatch", **KEYS).list_metrics(Namespace="n")["Metrics"] == []


def test_rejected_events_are_told_by_wrong_indexes(logs: Any) -> None:
    events = [{"timestamp": int((time.time() - days * 86_400) * 1000), "message": "x"} for days in (30, 20, 0)]
    answer = logs.put_log_events(logGroupName="g", logStreamName="one", logEvents=events)
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}  # AWS's is the end: 2
