"""Gaps of moto that local_aws/services/s3 closes: a test that fails here says that moto has closed one itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

ARN = "arn:aws:sqs:us-east-1:123456789012:q"


def client(name: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(name, region_name="us-east-1", **keys)  # type: ignore[call-overload]


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client("sqs").create_queue(QueueName="q")
        made = client("s3")
        made.create_bucket(Bucket="bucket")
        yield made


def configure(s3: Any, *events: str, **more: Any) -> None:
    configuration = {"QueueConfigurations": [{"QueueArn": ARN, "Events": list(events)}], **more}
    s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=configuration)


def told() -> list[str]:
    url = client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
    messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    bodies = [json.loads(message["Body"]) for message in messages]
    return [record["eventName"] for body in bodies for record in body.get("Records", [])]


def test_moto_asks_no_queue_and_tells_of_tags_at_each_upload(s3: Any) -> None:
    configure(s3, "s3:ObjectCreated:*", "s3:ObjectTagging:*")
    s3.put_object(Bucket="bucket", Key="a", Body=b"1")
    assert sorted(told()) == ["ObjectCreated:Put", "ObjectTagging:Put"]


def test_moto_tells_twice_of_an_upload_in_parts(s3: Any) -> None:
    configure(s3, "s3:ObjectCreated:*")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="c")["UploadId"]
    part = s3.upload_part(Bucket="bucket", Key="c", UploadId=upload, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="bucket", Key="c", UploadId=upload, MultipartUpload=parts)
    assert len(told()) == 2


def test_moto_tells_of_no_delete_marker(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    configure(s3, "s3:ObjectRemoved:*")
    s3.put_object(Bucket="bucket", Key="a", Body=b"1")
    s3.delete_object(Bucket="bucket", Key="a")
    assert told() == []


def test_motos_configuration_comes_back_without_eventbridge(s3: Any) -> None:
    configure(s3, "s3:ObjectCreated:*", EventBridgeConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket="bucket")
