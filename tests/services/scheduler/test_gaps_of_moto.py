"""Gaps of moto that local_aws/services/scheduler closes: a test that fails here says that moto has closed one itself."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws

TARGET = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/nobody"}
REQUEST: dict[str, Any] = {"Name": "it", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET}


def client(name: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(name, region_name="us-east-1", **keys)  # type: ignore[call-overload]


@mock_aws
def test_moto_takes_any_expression_zone_target_and_role() -> None:
    client("scheduler").create_schedule(
        **REQUEST, ScheduleExpression="whenever", ScheduleExpressionTimezone="Nowhere/Land"
    )


@mock_aws
def test_moto_fires_nothing() -> None:
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    client("scheduler").create_schedule(**REQUEST, ScheduleExpression="at(2020-01-01T00:00:00)")
    assert "Messages" not in client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)


@mock_aws
def test_moto_forgets_the_state_and_the_end_of_an_updated_schedule() -> None:
    scheduler = client("scheduler")
    scheduler.create_schedule(**REQUEST, ScheduleExpression="rate(1 day)")
    scheduler.update_schedule(**REQUEST, ScheduleExpression="rate(1 day)", ActionAfterCompletion="DELETE")
    found = scheduler.get_schedule(Name="it")
    assert found.get("State") != "ENABLED" and found.get("ActionAfterCompletion") != "DELETE"


@mock_aws
def test_moto_fails_where_a_group_is_missing() -> None:
    with pytest.raises(KeyError):
        client("scheduler").create_schedule(**REQUEST, GroupName="none", ScheduleExpression="rate(1 day)")
