"""A daemon that is killed: what the account holds is there after the next start, and a clean stop forgets it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import control
from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for

TRUST = '{"Version": "2012-10-17", "Statement": []}'
DAY = 86400.0

# Makes one thing in a service, and how it is seen again.
THINGS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "apigateway": (lambda c: c.create_rest_api(name="kept"), lambda c: c.get_rest_apis()["items"][0]["name"]),
    "cloudwatch": (
        lambda c: c.put_metric_alarm(
            AlarmName="kept", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold",
        ),
        lambda c: c.describe_alarms()["MetricAlarms"][0]["AlarmName"],
    ),
    "dynamodb": (
        lambda c: c.create_table(
            TableName="kept", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        ),
        lambda c: c.list_tables()["TableNames"][0],
    ),
    "ecr": (
        lambda c: c.create_repository(repositoryName="kept"),
        lambda c: c.describe_repositories()["repositories"][0]["repositoryName"],
    ),
    "ecs": (
        lambda c: c.create_cluster(clusterName="kept"),
        lambda c: c.list_clusters()["clusterArns"][0].rpartition("/")[2],
    ),
    "events": (
        lambda c: c.put_rule(Name="kept", ScheduleExpression="rate(1 day)"),
        lambda c: c.list_rules()["Rules"][0]["Name"],
    ),
    "iam": (
        lambda c: c.create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST),
        lambda c: c.get_role(RoleName="kept")["Role"]["RoleName"],
    ),
    "kms": (
        lambda c: c.create_key(Description="kept"),
        lambda c: c.describe_key(KeyId=c.list_keys()["Keys"][0]["KeyId"])["KeyMetadata"]["Description"],
    ),
    "logs": (
        lambda c: c.create_log_group(logGroupName="kept"),
        lambda c: c.describe_log_groups()["logGroups"][0]["logGroupName"],
    ),
    "scheduler": (
        lambda c: c.create_schedule_group(Name="kept"),
        lambda c: c.get_schedule_group(Name="kept")["Name"],
    ),
    "secretsmanager": (
        lambda c: c.create_secret(Name="s", SecretString="kept"),
        lambda c: c.get_secret_value(SecretId="s")["SecretString"],
    ),
    "sns": (
        lambda c: c.create_topic(Name="kept"),
        lambda c: c.list_topics()["Topics"][0]["TopicArn"].rpartition(":")[2],
    ),
    "sqs": (
        lambda c: c.send_message(QueueUrl=c.create_queue(QueueName="q")["QueueUrl"], MessageBody="kept"),
        lambda c: c.receive_message(QueueUrl=c.get_queue_url(QueueName="q")["QueueUrl"])["Messages"][0]["Body"],
    ),
    "ssm": (
        lambda c: c.put_parameter(Name="/a/b", Value="kept", Type="String"),
        lambda c: c.get_parameter(Name="/a/b")["Parameter"]["Value"],
    ),
}  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedAws]:
    aws = EmbeddedAws(tmp_path / "home")
    yield aws
    aws.stop()


def crash(aws: EmbeddedAws) -> EmbeddedAws:
    """Kill the daemon once it has written what it was asked, and start the next."""
    os.kill(aws.server.pid, signal.SIGKILL)
    return EmbeddedAws(aws.home)


def written(aws: EmbeddedAws, what: bytes) -> None:
    """Wait until the state on disk has it; every test asks for its own mark."""
    folder = Home(aws.home).state
    wait_for(lambda: any(what in file.read_bytes() for file in folder.glob("*.pickle")), f"{what!r} on disk")


def test_every_service_comes_back(own: EmbeddedAws) -> None:
    for service, (make, _) in THINGS.items():
        make(own.client(service))
    own.client("ssm").put_parameter(Name="/last", Value="the-last-mark", Type="String")
    written(own, b"the-last-mark")
    again = crash(own)
    assert again.endpoint == own.endpoint
    assert {service: see(again.client(service)) for service, (_, see) in THINGS.items()} == dict.fromkeys(
        THINGS, "kept"
    )


def test_objects_small_and_large_come_back_and_can_be_replaced(own: EmbeddedAws) -> None:
    s3 = own.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="large", Body=b"y" * 3_000_000)
    etag = s3.put_object(Bucket="kept", Key="small-mark", Body=b"x")["ETag"]
    written(own, b"small-mark")
    s3 = crash(own).client("s3")
    assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == b"y" * 3_000_000
    assert s3.get_object(Bucket="kept", Key="large", Range="bytes=5-9")["Body"].read() == b"yyyyy"
    s3.put_object(Bucket="kept", Key="small-mark", Body=b"z", IfMatch=etag)


def test_the_clock_is_as_far_ahead_as_before(own: EmbeddedAws) -> None:
    own.advance(30 * DAY)
    before = own.now()
    own.client("ssm").put_parameter(Name="/m", Value="a-mark", Type="String")
    written(own, b"a-mark")
    wait_for(lambda: Home(own.home).left_by_a_crash().get("clock_ahead", 0) > DAY, "the clock on disk")
    assert 0 <= (crash(own).now() - before).total_seconds() < 3600


def test_after_a_clean_stop_the_account_is_empty(own: EmbeddedAws) -> None:
    own.client("s3").create_bucket(Bucket="gone")
    own.stop()
    assert not Home(own.home).state.exists()
    assert EmbeddedAws(own.home).client("s3").list_buckets()["Buckets"] == []


def test_a_stop_after_a_crash_forgets_as_well(own: EmbeddedAws) -> None:
    own.client("ssm").put_parameter(Name="/m", Value="a-mark", Type="String")
    written(own, b"a-mark")
    os.kill(own.server.pid, signal.SIGKILL)
    control.stop(Home(own.home))
    assert EmbeddedAws(own.home).client("ssm").describe_parameters()["Parameters"] == []


def test_what_cannot_be_read_is_said_and_stops_nothing(own: EmbeddedAws) -> None:
    own.client("ssm").put_parameter(Name="/m", Value="a-mark", Type="String")
    own.client("sns").create_topic(Name="kept")
    written(own, b"a-mark")
    written(own, b"kept")
    os.kill(own.server.pid, signal.SIGKILL)
    [file] = Home(own.home).state.glob("moto.ssm*.pickle")
    file.write_bytes(file.read_bytes()[:100])
    again = EmbeddedAws(own.home)
    assert again.client("sns").list_topics()["Topics"] != []
    assert again.client("ssm").describe_parameters()["Parameters"] == []
    assert "could not be read; what it held is lost" in Home(own.home).log_file.read_text()
