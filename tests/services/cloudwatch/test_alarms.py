"""Alarms: evaluated by the clock, with what is missing, and what they set off."""

from __future__ import annotations

import json
import mailbox
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws, wait_for

MINUTE, HOUR, DAY = 60, 3600, 86_400
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"


class Watched:
    """An alarm, its metric, and a queue behind its topic."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.cloudwatch = aws.client("cloudwatch")
        sqs, sns = aws.client("sqs"), aws.client("sns")
        self.topic = sns.create_topic(Name="alarms")["TopicArn"]
        self.queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
        queue_arn = "arn:aws:sqs:us-east-1:123456789012:alarms"
        allow = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
                }
            ],
        }
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps(allow)})
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)

    def alarm(self, **given: Any) -> None:
        actions = {field: [self.topic] for field in ("AlarmActions", "OKActions", "InsufficientDataActions")}
        metric = {"Namespace": "App", "MetricName": "Errors", "Statistic": "Sum", "Period": MINUTE}
        defaults = {
            "AlarmName": "errors",
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        }
        if "Metrics" in given or "ExtendedStatistic" in given:
            metric.pop("Statistic")
        if "Metrics" in given:
            metric = {}
        self.cloudwatch.put_metric_alarm(**{**defaults, **metric, **actions, **given})

    def put(self, value: float, **more: Any) -> None:
        datum = {"MetricName": "Errors", "Value": value, "Timestamp": self.aws.now(), **more}
        self.cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])

    def state(self, name: str = "errors") -> str:
        [alarm] = self.cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])[
            "MetricAlarms" if name != "both" else "CompositeAlarms"
        ]
        return str(alarm["StateValue"])

    def describe(self) -> dict[str, Any]:
        [alarm] = self.cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
        return dict(alarm)

    def messages(self) -> list[dict[str, Any]]:
        sqs = self.aws.client("sqs")
        found = []
        while got := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def changes(self) -> list[tuple[str, str]]:
        bodies = [json.loads(message["Message"]) for message in self.messages()]
        bodies.sort(key=lambda body: body["StateChangeTime"])
        return [(body["OldStateValue"], body["NewStateValue"]) for body in bodies]


@pytest.fixture
def watched(aws: EmbeddedAws) -> Watched:
    return Watched(aws)


def test_ok_alarm_ok_and_the_messages(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(
        AlarmDescription="too many", TreatMissingData="notBreaching", Dimensions=[{"Name": "F", "Value": "api"}]
    )
    first = watched.describe()
    assert first["StateValue"] == "INSUFFICIENT_DATA" and first["StateReason"] == "Unchecked: Initial alarm creation"
    aws.advance(2 * MINUTE)
    assert watched.state() == "OK"
    watched.put(5, Dimensions=[{"Name": "F", "Value": "api"}])
    watched.put(7, Dimensions=[{"Name": "F", "Value": "other"}])
    aws.advance(2 * MINUTE)
    assert watched.state() in ("ALARM", "OK")  # by the second of the minute; its messages tell
    aws.advance(10 * MINUTE)
    assert watched.state() == "OK"
    messages = sorted(watched.messages(), key=lambda one: json.loads(one["Message"])["StateChangeTime"])
    bodies = [json.loads(one["Message"]) for one in messages]
    assert [(b["OldStateValue"], b["NewStateValue"]) for b in bodies] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    assert messages[1]["Subject"] == 'ALARM: "errors" in US East (N. Virginia)'
    said = bodies[1]["NewStateReason"]
    assert said.startswith("Threshold Crossed: 1 out of the last 1 datapoint [5.0 (")
    assert said.endswith(
        "was greater than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert bodies[1]["Trigger"]["Dimensions"] == [{"value": "api", "name": "F"}]
    assert bodies[1]["AlarmDescription"] == "too many"
    items = watched.cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName="errors", HistoryItemType="StateUpdate"
    )
    assert [item["HistorySummary"] for page in items for item in page["AlarmHistoryItems"]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]


@pytest.mark.parametrize(
    ("treatment", "state"),
    [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "INSUFFICIENT_DATA")],
)
def test_a_metric_that_never_comes(aws: EmbeddedAws, watched: Watched, treatment: str, state: str) -> None:
    watched.alarm(TreatMissingData=treatment, Period=DAY)
    aws.advance(2 * DAY)
    assert watched.state() == state


def test_what_was_there_and_is_missing(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(TreatMissingData="ignore", EvaluationPeriods=2)
    for value in (0, 0, 9, 9):
        watched.put(value)
        aws.advance(MINUTE)
    aws.advance(HOUR)
    assert watched.state() == "ALARM"  # it keeps its state
    watched.alarm(TreatMissingData="missing", EvaluationPeriods=2)
    assert watched.state() == "ALARM"  # as a changed alarm does
    aws.advance(HOUR)
    assert watched.state() == "INSUFFICIENT_DATA"
    assert watched.describe()["StateReason"] == "Insufficient Data: 2 datapoints were unknown."


def test_two_of_three(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    aws.advance(3 * MINUTE)
    watched.messages()
    states = []
    for value in (1, 0, 0, 1, 0, 1, 0, 0, 0):
        watched.put(value)
        aws.advance(MINUTE)
        states.append(watched.state())
    assert "ALARM" in states and states[:3] == ["OK"] * 3 and states[-1] == "OK"
    assert watched.changes() == [("OK", "ALARM"), ("ALARM", "OK")]


def test_a_percentile_and_few_samples(aws: EmbeddedAws, watched: Watched) -> None:
    percentile = {"ExtendedStatistic": "p90", "Threshold": 100.0, "Period": 5 * MINUTE, "TreatMissingData": "ignore"}
    watched.alarm(**percentile, EvaluateLowSampleCountPercentile="ignore")
    watched.alarm(AlarmName="eager", **percentile)
    watched.put(500)  # one sample: p90 wants 100
    aws.advance(10 * MINUTE)
    assert (watched.state(), watched.state("eager")) == ("INSUFFICIENT_DATA", "ALARM")
    datum = {"MetricName": "Errors", "Values": [1.0, 500.0], "Counts": [80.0, 40.0], "Timestamp": aws.now()}
    watched.cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])
    aws.advance(10 * MINUTE)
    assert watched.state() == "ALARM"


def test_an_alarm_on_a_ratio(aws: EmbeddedAws, watched: Watched) -> None:
    def stat(name: str) -> dict[str, Any]:
        return {"Metric": {"Namespace": "App", "MetricName": name}, "Period": MINUTE, "Stat": "Sum"}

    metrics = [
        {"Id": "ratio", "Expression": "100 * FILL(errors, 0) / calls", "ReturnData": True},
        {"Id": "errors", "MetricStat": stat("Errors"), "ReturnData": False},
        {"Id": "calls", "MetricStat": stat("Calls"), "ReturnData": False},
    ]
    watched.alarm(Metrics=metrics, Threshold=5.0, TreatMissingData="ignore")
    for errors, state in ((0, "OK"), (10, "ALARM"), (None, "OK")):
        watched.cloudwatch.put_metric_data(
            Namespace="App", MetricData=[{"MetricName": "Calls", "Value": 100, "Timestamp": aws.now()}]
        )
        if errors is not None:
            watched.put(errors)
        aws.advance(MINUTE)
        aws.advance(MINUTE)
        assert watched.state() == state


def test_a_composite_alarm(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(AlarmName="a", AlarmActions=[], OKActions=[], InsufficientDataActions=[])
    watched.alarm(AlarmName="b", AlarmActions=[], OKActions=[], InsufficientDataActions=[])
    put = watched.cloudwatch.put_composite_alarm
    with pytest.raises(ClientError, match="invalid syntax"):
        put(AlarmName="both", AlarmRule="ALARM(a) AND")
    with pytest.raises(ClientError, match="does not exist"):
        put(AlarmName="both", AlarmRule="ALARM(none)")
    rule = 'ALARM("a") AND (NOT OK(arn:aws:cloudwatch:us-east-1:123456789012:alarm:b) OR FALSE)'
    put(AlarmName="both", AlarmRule=rule, AlarmActions=[watched.topic], OKActions=[watched.topic])
    aws.advance(1)
    assert watched.state("both") == "OK"
    watched.messages()
    set_state = watched.cloudwatch.set_alarm_state
    set_state(AlarmName="a", StateValue="ALARM", StateReason="test")
    assert watched.state("both") == "ALARM"
    set_state(AlarmName="b", StateValue="OK", StateReason="test")
    assert watched.state("both") == "OK"
    aws.advance(0.5)
    assert watched.changes() == [("OK", "ALARM"), ("ALARM", "OK")]
    assert watched.cloudwatch.describe_alarms()["CompositeAlarms"] == []  # only for who asks
    [both] = watched.cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert both["AlarmRule"] == rule and "transitioned to OK at" in both["StateReason"]


def test_a_state_that_was_set_lasts_until_the_next_look(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(TreatMissingData="notBreaching", Period=HOUR)
    aws.advance(2 * MINUTE)
    watched.messages()
    watched.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    assert watched.state() == "ALARM"
    aws.advance(2 * MINUTE)
    assert watched.state() == "OK"
    assert watched.changes() == [("OK", "ALARM"), ("ALARM", "OK")]


def test_actions_that_are_disabled(aws: EmbeddedAws, watched: Watched) -> None:
    watched.alarm(TreatMissingData="breaching", ActionsEnabled=False)
    aws.advance(5 * MINUTE)
    assert watched.state() == "ALARM" and watched.messages() == []
    watched.cloudwatch.enable_alarm_actions(AlarmNames=["errors"])
    watched.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")
    aws.advance(1)
    assert ("ALARM", "OK") in watched.changes()


def test_the_topics_policy_decides(aws: EmbeddedAws, watched: Watched) -> None:
    def policy(source: str) -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": watched.topic,
            "Condition": {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    set_policy = aws.client("sns").set_topic_attributes
    watched.alarm()
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
    for source, arrives in ((f"{arn}err*", True), (f"{arn}other", False)):
        set_policy(TopicArn=watched.topic, AttributeName="Policy", AttributeValue=policy(source))
        for state in ("OK", "ALARM"):
            watched.cloudwatch.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="x")
            aws.advance(0.5)
        assert bool(watched.messages()) == arrives
    history = watched.cloudwatch.describe_alarm_history(AlarmName="errors", HistoryItemType="Action")[
        "AlarmHistoryItems"
    ]
    assert history[0]["HistorySummary"] == f"Failed to execute action {TOPIC}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Period": 90}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 1441}, "cannot be checked across more than a day"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "less than or equal to EvaluationPeriods"),
        ({"TreatMissingData": "bad"}, "Option bad is not supported"),
        ({"ExtendedStatistic": "tm90"}, "tm90 for parameter ExtendedStatistic is not supported|does not match|pattern"),
        (
            {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:reboot"]},
            "The embedded AWS does not know the alarm action",
        ),
        ({"AlarmActions": ["sns"]}, "Invalid arn syntax: sns"),
        ({"AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:t"]}, "Invalid region eu-west-1 specified"),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "t"},
            "does not know alarms on anomaly detection",
        ),
    ],
)
def test_what_is_refused(watched: Watched, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        watched.alarm(**given)


def test_from_the_command_line(aws: EmbeddedAws, watched: Watched) -> None:
    def cli(*arguments: str) -> Any:
        command = [str(Path(sys.executable).parent / "aws"), "cloudwatch", *arguments, "--output", "json"]
        said = subprocess.run(command, env=aws.env, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(said.stdout or "{}")

    cli(
        "put-metric-alarm",
        "--alarm-name",
        "cli",
        "--namespace",
        "App",
        "--metric-name",
        "Errors",
        "--statistic",
        "Sum",
        "--period",
        "60",
        "--evaluation-periods",
        "1",
        "--threshold",
        "1",
        "--comparison-operator",
        "GreaterThanThreshold",
        "--treat-missing-data",
        "breaching",
        "--alarm-actions",
        TOPIC,
    )
    aws.advance(3 * MINUTE)
    [alarm] = cli("describe-alarms", "--alarm-names", "cli", "--state-value", "ALARM")["MetricAlarms"]
    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching]."
    )
    assert watched.changes() == [("INSUFFICIENT_DATA", "ALARM")]


def test_a_month_in_which_nothing_happens(aws: EmbeddedAws, watched: Watched) -> None:
    for number in range(5):
        watched.alarm(AlarmName=f"a{number}", Period=HOUR, TreatMissingData="notBreaching")
    aws.advance(DAY)
    assert len(watched.changes()) == 5
    aws.advance(30 * DAY)
    assert watched.changes() == []


def test_what_a_policy_does_not_allow(aws: EmbeddedAws, watched: Watched) -> None:
    def allow(*actions: str) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}

    def call(client: Any) -> Callable[[], Any]:
        return lambda: client.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")

    watched.alarm()
    mine = aws.client(
        "cloudwatch", credentials=aws.new_user("u", cw=allow("cloudwatch:SetAlarmState", "cloudwatch:PutMetricData"))
    )
    call(mine)()
    mine.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 1}])
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DeleteAlarms"):
        mine.delete_alarms(AlarmNames=["errors"])
    aws.change_policy("arn:aws:iam::123456789012:policy/u-cw", allow("cloudwatch:PutMetricData"))
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:SetAlarmState"):
        call(mine)()
    only_app = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "cloudwatch:PutMetricData",
                "Resource": "*",
                "Condition": {"StringEquals": {"cloudwatch:namespace": "App"}},
            }
        ],
    }
    aws.change_policy("arn:aws:iam::123456789012:policy/u-cw", only_app)
    mine.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 1}])
    with pytest.raises(ClientError, match="not authorized"):
        mine.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}])


def test_the_mail_says_what_happened_since_when_and_what_the_alarm_is(aws):
    topic = aws.client("sns").create_topic(Name="people")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="you@example.com")
    asked = wait_for(lambda: mails(aws), "the mail that asks for confirmation")
    link = re.search(r"http://\S+ConfirmSubscription\S+", asked[0])[0]
    urllib.request.urlopen(link).read()
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="too-many",
        AlarmDescription="More than ten. Look with `make look`.",
        Namespace="Mine",
        MetricName="Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    aws.client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "Count", "Value": 11}])
    aws.advance(300)
    text = wait_for(lambda: [mail for mail in mails(aws) if "ALARM" in mail], "the alarm")[0]
    assert 'Amazon CloudWatch Alarm "too-many"' in text
    for part in (
        "has entered the ALARM state",
        "- Description:                More than ten. Look with `make look`.",
        "- State Change:               INSUFFICIENT_DATA -> ALARM",
        "GreaterThanThreshold 10.0 for at least 1 of the last 1 period(s) of 60 seconds",
        "- MetricName:                          Count",
        f"- ALARM: [{topic}]",
    ):
        assert part in text


def mails(aws) -> list[str]:
    box = mailbox.Maildir(aws.home / "mail") if (aws.home / "mail" / "cur").is_dir() else []
    return [message.get_payload(decode=True).decode() for message in box]
