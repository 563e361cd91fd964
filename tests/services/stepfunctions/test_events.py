"""Executions and alarms are events of EventBridge."""

from __future__ import annotations

import json
from typing import Any

from local_aws.testing import EmbeddedAws, wait_for
from tests.services.stepfunctions.conftest import Machines

QUEUE = "arn:aws:sqs:us-east-1:123456789012:events"


def listen(aws: EmbeddedAws, pattern: dict[str, Any]) -> str:
    """A rule with a queue; returns its URL."""
    url = str(aws.client("sqs").create_queue(QueueName="events")["QueueUrl"])
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": QUEUE,
            }
        ],
    }
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allow)})
    aws.client("events").put_rule(Name="r", EventPattern=json.dumps(pattern))
    aws.client("events").put_targets(Rule="r", Targets=[{"Id": "q", "Arn": QUEUE}])
    return url


def heard(aws: EmbeddedAws, url: str, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def more() -> bool:
        sqs = aws.client("sqs")
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
        return len(found) >= number

    wait_for(more, f"{number} events", 20)
    return sorted(found, key=lambda event: event["time"])


def test_an_execution_that_fails(aws: EmbeddedAws, machines: Machines) -> None:
    pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED", "RUNNING"]}}
    url = listen(aws, pattern)
    machine = machines.make({"F": {"Type": "Fail", "Error": "E", "Cause": "c"}})
    execution = machines.start(machine, {"a": 1})
    machines.wait(execution, "FAILED")
    events = {event["detail"]["status"]: event for event in heard(aws, url, 2)}
    assert events["RUNNING"]["detail-type"] == "Step Functions Execution Status Change"
    assert events["FAILED"]["resources"] == [execution]
    detail = events["FAILED"]["detail"]
    assert (detail["error"], detail["cause"], json.loads(detail["input"])) == ("E", "c", {"a": 1})
    assert detail["stopDate"] >= detail["startDate"] and detail["stateMachineArn"] == machine


def test_an_alarm(aws: EmbeddedAws) -> None:
    url = listen(aws, {"detail-type": ["CloudWatch Alarm State Change"], "detail": {"state": {"value": ["ALARM"]}}})
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="nothing",
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        AlarmDescription="d",
    )
    aws.advance(180)
    [event] = heard(aws, url, 1)
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:nothing"]
    detail = event["detail"]
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA" and detail["configuration"]["description"] == "d"
    assert detail["configuration"]["metrics"][0]["metricStat"]["metric"] == {
        "namespace": "n",
        "name": "m",
        "dimensions": {},
    }
