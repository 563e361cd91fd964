"""Rules send events to their targets, if those let EventBridge in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import wait_for
from tests.services.accounts import ACCOUNT, ECHO, Queue, allow, attributes, events_of, may, role
from tests.services.awslambda import functions

EVENTS = "events.amazonaws.com"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def queue(aws: Any) -> Queue:
    return Queue(aws, "q", EVENTS, sources=RULE)


def rule(aws: Any, *targets: dict[str, Any], name: str = "r", **more: Any) -> None:
    events = aws.client("events")
    events.put_rule(
        Name=name, **({} if "ScheduleExpression" in more else {"EventPattern": '{"source": ["mine"]}'}) | more
    )
    bus = {"EventBusName": more["EventBusName"]} if "EventBusName" in more else {}
    numbered = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    events.put_targets(Rule=name, Targets=numbered, **bus)


def put(aws: Any, detail: Any = None, source: str = "mine", **more: Any) -> None:
    entry = {"Source": source, "DetailType": "Told", "Detail": json.dumps(detail or {"n": 1}), **more}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer
    aws.advance(0.001)


def test_an_event_is_sent_as_aws_writes_it(aws: Any, queue: Queue) -> None:
    rule(aws, {"Arn": queue.arn})
    put(aws, {"n": 7}, Resources=["arn:x"], Time=datetime.fromisoformat("2026-01-02T03:04:05+00:00"))
    put(aws, source="not-mine")
    [event] = queue.documents()
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Told",
        "source": "mine",
        "account": ACCOUNT,
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"n": 7},
    }


def test_disabled_rules_and_rules_that_are_gone_send_nothing(aws: Any, queue: Queue) -> None:
    events = aws.client("events")
    rule(aws, {"Arn": queue.arn})
    events.disable_rule(Name="r")
    put(aws)
    assert queue.messages() == []
    events.enable_rule(Name="r")
    put(aws)
    assert len(queue.messages()) == 1
    events.remove_targets(Rule="r", Ids=["0"])
    events.delete_rule(Name="r")
    put(aws)
    assert queue.messages() == []


def test_what_is_not_let_in_goes_to_the_dead_letter_queue_at_once(aws: Any, queue: Queue) -> None:
    dead = Queue(aws, "dead", EVENTS, sources=RULE)
    queue.let_send("sns.amazonaws.com")
    rule(aws, {"Arn": queue.arn, "DeadLetterConfig": {"Arn": dead.arn}})
    put(aws)
    [letter] = dead.messages()
    said = attributes(letter)
    assert json.loads(letter["Body"])["source"] == "mine"
    assert said["ERROR_CODE"] == "NO_PERMISSIONS" and "sqs:SendMessage" in said["ERROR_MESSAGE"]
    assert said["RULE_ARN"] == RULE and said["TARGET_ARN"] == queue.arn and said["RETRY_ATTEMPTS"] == "0"
    for sources in (RULE + "x", ""):
        queue.let_send(EVENTS, sources=sources)
        put(aws)
    assert len(queue.messages()) == 1 and len(dead.messages()) == 1


def test_a_target_that_fails_is_tried_again_by_the_clock(aws: Any) -> None:
    """A role's call of an operation that fails for a while: SQS is out of order."""
    queue, dead = Queue(aws, "q"), Queue(aws, "dead", EVENTS)
    arn = role(aws, "sender", EVENTS, allow("sqs:SendMessage", queue.arn))
    policy = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}
    rule(aws, {"Arn": queue.arn, "RoleArn": arn, "RetryPolicy": policy, "DeadLetterConfig": {"Arn": dead.arn}})
    aws.fault("SendMessage", "ServiceUnavailable", "later", status=503, times=2)
    put(aws)
    assert queue.messages() == []
    aws.advance(10)
    assert len(queue.messages()) == 1
    aws.fault("SendMessage", "ServiceUnavailable", "later", status=503, times=4)
    put(aws)
    aws.advance(60)
    [letter] = dead.messages()
    said = attributes(letter)
    assert said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts" and said["RETRY_ATTEMPTS"] == "3"
    may(aws, "sender")
    put(aws)
    assert attributes(dead.messages()[0])["ERROR_CODE"] == "NO_PERMISSIONS"


@pytest.mark.services
def test_a_function_is_invoked_and_its_errors_are_lambdas(aws: Any) -> None:
    arn = functions.create(aws, ECHO)
    rule(aws, {"Arn": arn, "InputPath": "$.detail"})
    put(aws, {"let": "not in"})
    aws.client("lambda").add_permission(
        FunctionName="f", StatementId="rule", Action="lambda:InvokeFunction", Principal=EVENTS, SourceArn=RULE
    )
    put(aws, {"let": "in"})
    assert events_of(functions.logged(aws)) == [{"let": "in"}]


def test_topics_log_groups_and_other_buses(aws: Any, queue: Queue) -> None:
    sns, events, logs = aws.client("sns"), aws.client("events"), aws.client("logs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    told = Queue(aws, "told", "sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told.arn, Attributes={"RawMessageDelivery": "true"})
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/events/all"
    logs.create_log_group(logGroupName="/aws/events/all")
    bus = events.create_event_bus(Name="second")["EventBusArn"]
    pass_on = role(aws, "pass-on", EVENTS, allow("events:PutEvents", bus))
    template = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"number <n>"'}
    rule(
        aws,
        {"Arn": topic, "InputTransformer": template},
        {"Arn": group},
        {"Arn": bus, "RoleArn": pass_on},
    )
    rule(aws, {"Arn": queue.arn}, name="behind", EventBusName="second")
    queue.let_send(EVENTS, sources=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/second/behind")
    # The topic's own default policy lets no rule in, and neither do logs without a policy.
    put(aws, {"n": 1})
    assert told.messages() == [] and logs.filter_log_events(logGroupName="/aws/events/all")["events"] == []
    assert [event["detail"] for event in queue.documents()] == [{"n": 1}]
    statement = allow("sns:Publish", topic, Principal={"Service": EVENTS})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    statement = allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:*", Principal={"Service": EVENTS})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="events", policyDocument=policy)
    put(aws, {"n": 2})
    assert told.bodies() == ['"number 2"']
    [line] = logs.filter_log_events(logGroupName="/aws/events/all")["events"]
    assert json.loads(line["message"])["detail"] == {"n": 2}
    queue.messages()
    may(aws, "pass-on")
    put(aws, {"n": 3})
    assert queue.messages() == []


def test_two_buses_do_not_send_each_other_the_same_event_for_ever(aws: Any) -> None:
    events, queue = aws.client("events"), Queue(aws, "q", EVENTS)
    default = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    second = events.create_event_bus(Name="second")["EventBusArn"]
    sender = role(aws, "sender", EVENTS, allow("events:PutEvents", "*"))
    rule(aws, {"Arn": second, "RoleArn": sender}, {"Arn": queue.arn})
    rule(aws, {"Arn": default, "RoleArn": sender}, {"Arn": queue.arn}, name="back", EventBusName="second")
    put(aws)
    assert len(queue.messages()) == 2


def test_schedules_of_rules_are_in_utc_and_rates_begin_later(aws: Any, queue: Queue) -> None:
    queue.let_send(EVENTS)
    rule(aws, {"Arn": queue.arn}, name="daily", ScheduleExpression="cron(30 22 * * ? *)")
    aws.advance(3 * 86400)
    daily = queue.documents()
    assert [event["time"][11:] for event in daily] == ["22:30:00Z"] * 3
    assert (
        daily[0]["detail-type"] == "Scheduled Event" and daily[0]["source"] == "aws.events" and daily[0]["detail"] == {}
    )
    assert daily[0]["resources"] == [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/daily"]
    aws.client("events").disable_rule(Name="daily")
    begun = aws.now()
    rule(aws, {"Arn": queue.arn, "Input": '"tick"'}, name="rate", ScheduleExpression="rate(1 hour)")
    aws.advance(3500)
    assert queue.messages() == []
    aws.advance(to=begun + timedelta(hours=3, seconds=60))
    assert queue.bodies() == ['"tick"'] * 3
    aws.client("events").put_rule(Name="rate", ScheduleExpression="rate(2 hours)")
    aws.advance(2 * 3600 + 60)
    assert queue.bodies() == ['"tick"']


def test_an_archive_keeps_events_and_a_replay_sends_them_again(aws: Any, queue: Queue) -> None:
    events = aws.client("events")
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    archive = events.create_archive(ArchiveName="kept", EventSourceArn=bus, EventPattern='{"source": ["mine"]}')
    put(aws, {"n": 1})
    put(aws, source="other")
    assert events.describe_archive(ArchiveName="kept")["EventCount"] == 1
    rule(aws, {"Arn": queue.arn})
    events.start_replay(
        ReplayName="again",
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=aws.now() - timedelta(hours=1),
        EventEndTime=aws.now(),
        Destination={"Arn": bus},
    )
    aws.advance(0.001)
    [event] = queue.documents()
    assert event["detail"] == {"n": 1} and event["replay-name"] == "again"


def test_instances_say_what_becomes_of_them(aws: Any, queue: Queue) -> None:
    pattern = {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}
    rule(aws, {"Arn": queue.arn, "InputPath": "$.detail"}, EventPattern=json.dumps(pattern))
    instance = aws.launch()
    aws.wait_for_state(instance, "running")
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    aws.advance(0.001)
    said = queue.documents()
    assert {one["instance-id"] for one in said} == {instance}
    assert sorted(one["state"] for one in said) == ["pending", "running", "shutting-down", "terminated"]


def test_a_spot_notice_is_an_event(aws: Any, queue: Queue) -> None:
    pattern = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    rule(aws, {"Arn": queue.arn}, EventPattern=json.dumps(pattern))
    instance = aws.launch("#!/bin/sh\nexec sleep 600\n")
    aws.wait_for_state(instance, "running")
    command = [sys.executable, "-m", "local_aws", "spot-notice", instance]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **aws.env}, check=True, capture_output=True)
    aws.advance(0.001)
    [event] = queue.documents()
    assert event["detail"] == {"instance-id": instance, "instance-action": "terminate"}
    zone = aws.instance(instance)["Placement"]["AvailabilityZone"]
    assert event["resources"] == [f"arn:aws:ec2:{zone}:instance/{instance}"]


@pytest.mark.services
def test_nobody_without_rules_opens_eventbridge(tmp_path: Path) -> None:
    from local_aws.testing import EmbeddedAws

    aws = EmbeddedAws(tmp_path / "home")
    try:
        instance = aws.launch()
        wait_for(lambda: aws.state(instance) == "running", "it to run")
        assert "events" not in json.loads(aws._ask("GET", "/_local_aws/health"))["services"]
    finally:
        aws.stop()


@pytest.mark.parametrize(
    ("request_of", "said"),
    [
        ({"EventPattern": '{"source": [{"starts-with": "a"}]}'}, "Event pattern is not valid"),
        ({"ScheduleExpression": "cron(7 20 * * 1-7 *)"}, "Parameter ScheduleExpression is not valid"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "Parameter ScheduleExpression is not valid"),
        ({"ScheduleExpression": "rate(2 hour)"}, "Parameter ScheduleExpression is not valid"),
        ({"ScheduleExpression": "at(2030-01-01T00:00:00)"}, "Parameter ScheduleExpression is not valid"),
    ],
)
def test_what_is_no_rule(aws: Any, request_of: dict[str, str], said: str) -> None:
    events = aws.client("events")
    with pytest.raises(events.exceptions.ClientError, match=said):
        events.put_rule(Name="r", **request_of)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"Arn": "nowhere"}, "Provided Arn is not in correct format"),
        ({"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "does not know the target"),
        ({"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}, "RoleArn is required"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Input": "no json"}, "JSON text is not valid"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "InputPath": "detail"}, "Invalid InputPath"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Input": "1", "InputPath": "$"}, "Only one of"),
    ],
)
def test_what_is_no_target(aws: Any, target: dict[str, str], said: str) -> None:
    events = aws.client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
    with pytest.raises(events.exceptions.ClientError, match=said):
        events.put_targets(Rule="r", Targets=[{"Id": "1", **target}])


def test_what_putevents_does_not_take(aws: Any) -> None:
    entry = {"Source": "mine", "DetailType": "Told", "Detail": "{}"}
    wrong = [{"Source": "aws.ec2"}, {"Detail": "[1]"}, {"Detail": "{"}, {"Source": ""}]
    answer = aws.client("events").put_events(Entries=[entry, *({**entry, **one} for one in wrong)])
    assert answer["FailedEntryCount"] == 4
    codes = [one.get("ErrorCode") for one in answer["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "MalformedDetail", "MalformedDetail", "InvalidArgument"]


def test_events_are_smaller_than_256_kilobytes(aws: Any) -> None:
    events = aws.client("events")
    entry = {"Source": "mine", "DetailType": "t", "Detail": json.dumps({"x": "y" * 131_072})}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    with pytest.raises(events.exceptions.ClientError, match="Total size of the entries"):
        events.put_events(Entries=[entry, entry])


def test_patterns_can_be_tried(aws: Any) -> None:
    event = dict.fromkeys(("id", "account", "source", "time", "region", "detail-type"), "x") | {"resources": []}
    answer = aws.client("events").test_event_pattern(EventPattern='{"source": ["x"]}', Event=json.dumps(event))
    assert answer["Result"] is True


def test_a_statement_that_is_taken_away_breaks_the_call(aws: Any, queue: Queue) -> None:
    runner = role(aws, "runner", EVENTS)
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    statements = {
        "events:PutRule": allow("events:PutRule", RULE),
        "events:PutTargets": allow("events:PutTargets", RULE),
        "iam:PassRole": allow("iam:PassRole", runner, Condition={"StringEquals": {"iam:PassedToService": EVENTS}}),
        "events:PutEvents": allow("events:PutEvents", bus, Condition={"StringEquals": {"events:source": "mine"}}),
    }
    document = {"Version": "2012-10-17", "Statement": list(statements.values())}
    events = aws.client("events", credentials=aws.new_user("ruler", may=document))

    def everything() -> None:
        events.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue.arn, "RoleArn": runner}])
        events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])

    everything()
    for action in statements:
        left = [statement for name, statement in statements.items() if name != action]
        aws.change_policy(f"arn:aws:iam::{ACCOUNT}:policy/ruler-may", {**document, "Statement": left})
        with pytest.raises(events.exceptions.ClientError, match=f"not authorized to perform: {action}"):
            everything()
    aws.change_policy(f"arn:aws:iam::{ACCOUNT}:policy/ruler-may", document)
    with pytest.raises(events.exceptions.ClientError, match="not authorized to perform: events:PutEvents"):
        events.put_events(Entries=[{"Source": "yours", "DetailType": "t", "Detail": "{}"}])


def test_the_command_line_of_aws(aws: Any, queue: Queue) -> None:
    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("aws")), *arguments, "--output", "json"]
        done = subprocess.run(command, env={**os.environ, **aws.env}, text=True, capture_output=True, check=True)
        return done.stdout

    run("events", "put-rule", "--name", "r", "--event-pattern", '{"source": ["mine"]}')
    run("events", "put-targets", "--rule", "r", "--targets", f"Id=1,Arn={queue.arn}")
    entry = '[{"Source": "mine", "DetailType": "t", "Detail": "{}"}]'
    assert json.loads(run("events", "put-events", "--entries", entry))["FailedEntryCount"] == 0
    sender = role(aws, "sender", "scheduler.amazonaws.com", allow("sqs:SendMessage", queue.arn))
    target = json.dumps({"Arn": queue.arn, "RoleArn": sender, "Input": "scheduled"})
    run("scheduler", "create-schedule", "--name", "s", "--schedule-expression", "rate(1 day)",
        "--flexible-time-window", "Mode=OFF", "--target", target)  # fmt: skip
    aws.advance(1)
    assert sorted(body[:9] for body in queue.bodies()) == ["scheduled", '{"version']
