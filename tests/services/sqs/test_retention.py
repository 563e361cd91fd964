"""A message ends with its queue's retention period, and hides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from tests.services.accounts import Queue


def test_what_came_later_is_received(aws: Any) -> None:
    queue = Queue(aws, "kept", MessageRetentionPeriod="60")
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue.url, MessageBody="old")
    aws.advance(61)
    sqs.send_message(QueueUrl=queue.url, MessageBody="new")
    assert queue.bodies() == ["new"]
    assert queue.waiting() == 0


@mock_aws
def test_gap_of_moto() -> None:
    """Fails when moto has closed the gap: then local_aws/services/sqs/opening.py can lose that part."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    sqs: Any = boto3.client("sqs", region_name="us-east-1", **keys)  # type: ignore[call-overload]
    url = sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="old")
    later = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=61)
    with patch("moto.core.utils.utcnow", return_value=later):
        sqs.send_message(QueueUrl=url, MessageBody="new")
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
