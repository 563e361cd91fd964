"""Gaps of moto that local_aws/services/sns closes: a test that fails here says that moto has closed one itself."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws


@pytest.fixture
def sns() -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1", **keys)  # type: ignore[call-overload]


def test_moto_confirms_for_everybody_and_takes_any_token(sns: Any) -> None:
    topic = sns.create_topic(Name="t")["TopicArn"]
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.org")
    assert answer["SubscriptionArn"].startswith(topic)
    assert sns.confirm_subscription(TopicArn=topic, Token="any")["SubscriptionArn"]


def test_moto_takes_an_address_that_is_none(sns: Any) -> None:
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody", Attributes={"RedrivePolicy": "no JSON"})


def test_moto_asks_no_queue(sns: Any) -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    sqs: Any = boto3.client("sqs", region_name="us-east-1", **keys)  # type: ignore[call-overload]
    url = sqs.create_queue(QueueName="closed")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:closed")
    sns.publish(TopicArn=topic, Message="let in")
    assert sqs.receive_message(QueueUrl=url)["Messages"]


def test_a_subscriber_that_is_not_there_makes_motos_publisher_fail(sns: Any) -> None:
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:nowhere")
    with pytest.raises(sns.exceptions.ClientError):
        sns.publish(TopicArn=topic, Message="lost")
