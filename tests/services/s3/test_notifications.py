"""A bucket tells functions, queues, topics and EventBridge, if those let it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.accounts import ACCOUNT, ECHO, Queue, allow, events_of
from tests.services.awslambda import functions

S3, BUCKET = "s3.amazonaws.com", "forecasts"
ARN = f"arn:aws:s3:::{BUCKET}"


@pytest.fixture
def s3(aws: Any) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def configure(s3: Any, **configuration: Any) -> None:
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)


def told(arn: str, *events: str, **filters: str) -> dict[str, Any]:
    kind = {"sqs": "QueueArn", "sns": "TopicArn", "lambda": "LambdaFunctionArn"}[arn.split(":")[2]]
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return {kind: arn, "Events": list(events), **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})}


def records(aws: Any, queue: Queue) -> list[tuple[str, str]]:
    aws.advance(0.001)
    found = [document for document in queue.documents() if "Records" in document]
    return [(one["Records"][0]["eventName"], one["Records"][0]["s3"]["object"]["key"]) for one in found]


def test_a_queue_is_told_of_what_it_wants_to_know(aws: Any, s3: Any) -> None:
    queue = Queue(aws, "q", S3, sources=ARN)
    configure(s3, QueueConfigurations=[told(queue.arn, "s3:ObjectCreated:*", prefix="raw/", suffix=".csv")])
    aws.advance(0.001)
    [test] = queue.documents()
    assert test["Event"] == "s3:TestEvent" and test["Bucket"] == BUCKET
    for key in ("raw/a b+ü.csv", "raw/a.txt", "other/a.csv"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"12345")
    s3.delete_object(Bucket=BUCKET, Key="raw/a b+ü.csv")
    aws.advance(0.001)
    [document] = queue.documents()
    [record] = document["Records"]
    assert record["eventName"] == "ObjectCreated:Put" and record["eventSource"] == "aws:s3"
    assert record["s3"]["bucket"]["arn"] == ARN and record["s3"]["object"]["size"] == 5
    assert record["s3"]["object"]["key"] == "raw/a+b%2B%C3%BC.csv"
    configure(s3)
    s3.put_object(Bucket=BUCKET, Key="raw/b.csv", Body=b"")
    assert records(aws, queue) == []


def test_every_way_to_make_and_remove_an_object(aws: Any, s3: Any) -> None:
    queue = Queue(aws, "q", S3)
    configure(s3, QueueConfigurations=[told(queue.arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*")])
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    s3.copy_object(Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="c")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="c", UploadId=upload, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=BUCKET, Key="c", UploadId=upload, MultipartUpload=parts)
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert sorted(records(aws, queue)) == [
        ("ObjectCreated:CompleteMultipartUpload", "c"),
        ("ObjectCreated:Copy", "b"),
        ("ObjectCreated:Put", "a"),
        ("ObjectRemoved:Delete", "a"),
        ("ObjectRemoved:Delete", "b"),
    ]
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key="v", Body=b"1")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="v")
    s3.delete_object(Bucket=BUCKET, Key="v", VersionId=version)
    assert sorted(records(aws, queue)) == [
        ("ObjectCreated:Put", "v"),
        ("ObjectRemoved:Delete", "v"),
        ("ObjectRemoved:DeleteMarkerCreated", "v"),
    ]


@pytest.mark.services
def test_a_function_and_a_topic(aws: Any, s3: Any) -> None:
    function = functions.create(aws, ECHO)
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    queue = Queue(aws, "behind", "sns.amazonaws.com")
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    wanted = {
        "LambdaFunctionConfigurations": [told(function, "s3:ObjectCreated:Put", suffix=".png")],
        "TopicConfigurations": [told(topic, "s3:ObjectRemoved:Delete")],
    }
    refused = "Unable to validate the following destination configurations"
    with pytest.raises(s3.exceptions.ClientError, match=refused):
        configure(s3, **wanted)
    aws.client("lambda").add_permission(
        FunctionName="f",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal=S3,
        SourceArn=ARN,
        SourceAccount=ACCOUNT,
    )
    with pytest.raises(s3.exceptions.ClientError, match=refused):  # the topic does not let it in
        configure(s3, **wanted)
    assert "TopicConfigurations" not in s3.get_bucket_notification_configuration(Bucket=BUCKET)
    statement = allow("sns:Publish", topic, Principal={"Service": S3}, Condition={"ArnLike": {"aws:SourceArn": ARN}})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    configure(s3, **wanted)
    s3.put_object(Bucket=BUCKET, Key="a.png", Body=b"1")
    s3.delete_object(Bucket=BUCKET, Key="a.png")
    [event] = events_of(functions.logged(aws))
    assert event["Records"][0]["s3"]["object"]["key"] == "a.png"
    removed = [json.loads(one["Message"]) for one in queue.documents()]
    assert [one["Records"][0]["eventName"] for one in removed if "Records" in one] == ["ObjectRemoved:Delete"]
    # The function's policy is asked again at each event.
    aws.client("lambda").remove_permission(FunctionName="f", StatementId="s3")
    s3.put_object(Bucket=BUCKET, Key="b.png", Body=b"1")
    assert len(events_of(functions.logged(aws))) == 1


def test_eventbridge_when_it_is_switched_on(aws: Any, s3: Any) -> None:
    queue = Queue(aws, "q", "events.amazonaws.com")
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "raw/"}]}}}
    aws.client("events").put_rule(Name="r", EventPattern=json.dumps(pattern))
    aws.client("events").put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue.arn}])
    s3.put_object(Bucket=BUCKET, Key="raw/ü 1", Body=b"1")
    configure(s3, EventBridgeConfiguration={})
    assert s3.get_bucket_notification_configuration(Bucket=BUCKET)["EventBridgeConfiguration"] == {}
    s3.put_object(Bucket=BUCKET, Key="raw/ü 2", Body=b"22")
    s3.delete_object(Bucket=BUCKET, Key="raw/ü 2")
    aws.advance(0.001)
    created, deleted = sorted(queue.documents(), key=lambda event: str(event["detail-type"]))
    assert created["detail-type"] == "Object Created" and created["resources"] == [ARN]
    assert created["detail"]["object"]["key"] == "raw/ü 2" and created["detail"]["object"]["size"] == 2
    assert created["detail"]["reason"] == "PutObject" and len(created["detail"]["object"]["etag"]) == 32
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted" and deleted["detail"]["reason"] == "DeleteObject"


def test_a_destination_that_does_not_let_it_in_is_refused(aws: Any, s3: Any) -> None:
    queue = Queue(aws, "q")
    for services, sources in (((), ""), ((S3,), "arn:aws:s3:::other"), (("sns.amazonaws.com",), ARN)):
        queue.let_send(*services, sources=sources)
        with pytest.raises(
            s3.exceptions.ClientError, match="Unable to validate the following destination configurations"
        ):
            configure(s3, QueueConfigurations=[told(queue.arn, "s3:ObjectCreated:*")])
    with pytest.raises(s3.exceptions.ClientError, match="Unable to validate"):
        configure(s3, QueueConfigurations=[told(queue.arn + "x", "s3:ObjectCreated:*")])
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"QueueConfigurations": [told(queue.arn, "s3:ObjectCreated:*")]},
        SkipDestinationValidation=True,
    )
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    assert records(aws, queue) == []


def test_overlapping_configurations_are_refused(aws: Any, s3: Any) -> None:
    one, two = Queue(aws, "one", S3), Queue(aws, "two", S3)
    with pytest.raises(s3.exceptions.ClientError, match="ambiguously defined"):
        configure(
            s3,
            QueueConfigurations=[
                told(one.arn, "s3:ObjectCreated:*", Prefix="raw/"),
                told(two.arn, "s3:ObjectCreated:Put", Prefix="raw/2026/", Suffix=".csv"),
            ],
        )
    configure(
        s3,
        QueueConfigurations=[
            told(one.arn, "s3:ObjectCreated:*", Prefix="raw/"),
            told(two.arn, "s3:ObjectCreated:Put", Prefix="curated/"),
        ],
    )


def test_filters_come_back_as_s3_writes_them(aws: Any, s3: Any) -> None:
    """As community.aws.s3_bucket_notification sends them and compares them."""
    wanted = told(Queue(aws, "q", S3).arn, "s3:ObjectCreated:*", Prefix="raw/", Suffix="")
    configure(s3, QueueConfigurations=[{**wanted, "Id": "it"}])
    assert s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"] == [{**wanted, "Id": "it"}]


def test_a_statement_that_is_taken_away_breaks_the_call(aws: Any, s3: Any) -> None:
    statements = [allow("s3:PutBucketNotification", ARN), allow("s3:GetBucketNotification", ARN)]
    document = {"Version": "2012-10-17", "Statement": statements}
    mine = aws.client("s3", credentials=aws.new_user("teller", may=document))
    configure(mine)
    mine.get_bucket_notification_configuration(Bucket=BUCKET)
    aws.change_policy(f"arn:aws:iam::{ACCOUNT}:policy/teller-may", {**document, "Statement": statements[1:]})
    with pytest.raises(mine.exceptions.ClientError, match="s3:PutBucketNotification"):
        configure(mine)
