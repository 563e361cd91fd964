"""What matches a subscription filter, and an alarm, reaches a function that lets them in."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import create, logged

pytestmark = pytest.mark.services

GROUP = "/source"
PRINTS = "import json\n\ndef handler(event, context):\n    print('EVENT ' + json.dumps(event))\n"


def events(aws: EmbeddedAws) -> list[dict[str, Any]]:
    return [json.loads(line.partition("EVENT ")[2]) for line in logged(aws) if "EVENT " in line]


def test_events_that_match(aws: EmbeddedAws) -> None:
    arn, logs = create(aws, PRINTS), aws.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    subscribe = {"logGroupName": GROUP, "filterName": "errors", "filterPattern": "ERROR", "destinationArn": arn}
    with pytest.raises(ClientError, match="given CloudWatch Logs permission to execute your function"):
        logs.put_subscription_filter(**subscribe)
    aws.client("lambda").add_permission(
        FunctionName="f",
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*",
    )
    logs.put_subscription_filter(**subscribe)
    with pytest.raises(ClientError, match="does not know the destination"):
        logs.put_subscription_filter(
            **{**subscribe, "destinationArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}
        )
    now = int(aws.now().timestamp() * 1000)
    lines = [{"timestamp": now, "message": text} for text in ("fine", "an ERROR", "ERRORS")]
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=lines)
    aws.advance(1)
    [event] = events(aws)
    message = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert message["messageType"] == "DATA_MESSAGE" and message["logGroup"] == GROUP
    assert [one["message"] for one in message["logEvents"]] == ["an ERROR"]


def test_an_alarm_invokes_a_function(aws: EmbeddedAws) -> None:
    arn, cloudwatch = create(aws, PRINTS), aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="a",
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        AlarmActions=[arn],
    )
    for allowed in (False, True):
        if allowed:
            aws.client("lambda").add_permission(
                FunctionName="f",
                StatementId="alarm",
                Action="lambda:InvokeFunction",
                Principal="lambda.alarms.cloudwatch.amazonaws.com",
                SourceArn="arn:aws:cloudwatch:us-east-1:123456789012:alarm:a",
            )
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName="a", StateValue=state, StateReason="a test")
            aws.advance(0.5)
    # The first time the function's policy did not let the alarm in.
    [event] = events(aws)
    assert event["alarmData"]["state"]["value"] == "ALARM" and event["alarmData"]["previousState"]["value"] == "OK"
    failed, done = cloudwatch.describe_alarm_history(
        AlarmName="a", HistoryItemType="Action", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    assert failed["HistorySummary"].startswith("Failed") and done["HistorySummary"].startswith("Successfully")
