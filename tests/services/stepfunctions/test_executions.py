"""Executions: what steps do, how they fail, and what time does to them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws, wait_for
from tests.services.stepfunctions.conftest import Machines, task

ANY_QUEUE = {"Action": "sqs:SendMessage", "Resource": "*"}
HOUR = 3600


@pytest.fixture
def queue(aws: EmbeddedAws) -> str:
    return str(aws.client("sqs").create_queue(QueueName="q")["QueueUrl"])


def bodies(aws: EmbeddedAws, queue: str) -> list[str]:
    sqs = aws.client("sqs")
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in got]


def test_steps_with_sns_sqs_s3_and_dynamodb(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    aws.client("s3").create_bucket(Bucket="steps-bucket")
    aws.client("dynamodb").create_table(
        TableName="runs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    states = {
        "Put": task(
            "aws-sdk:s3:putObject",
            {"Bucket": "steps-bucket", "Key.$": "$.key", "Body": {"a": 1}},
            ResultPath="$.put",
            Next="Get",
        ),
        "Get": task(
            "aws-sdk:s3:getObject",
            {"Bucket": "steps-bucket", "Key.$": "$.key"},
            ResultSelector={"body.$": "$.Body"},
            ResultPath="$.got",
            Next="Row",
        ),
        "Row": task(
            "dynamodb:putItem", {"TableName": "runs", "Item": {"id": {"S.$": "$.key"}}}, ResultPath=None, Next="Read"
        ),
        "Read": task(
            "aws-sdk:dynamodb:getItem",
            {"TableName": "runs", "Key": {"id": {"S.$": "$.key"}}},
            ResultPath="$.row",
            Next="Tell",
        ),
        "Tell": task(
            "sns:publish",
            {"TopicArn": topic, "Message.$": "States.Format('{} done', $.key)"},
            ResultPath="$.told",
            Next="Log",
        ),
        "Log": task(
            "sqs:sendMessage", {"QueueUrl": queue, "MessageBody": {"key.$": "$.key"}}, ResultPath=None, Next="Logs"
        ),
        "Logs": task("aws-sdk:cloudwatchlogs:createLogGroup", {"LogGroupName": "/made"}, ResultPath=None),
    }
    needed = ["s3:PutObject", "s3:GetObject", "dynamodb:*", "sns:Publish", "sqs:SendMessage", "logs:CreateLogGroup"]
    output = machines.run(machines.make(states, {"Action": needed, "Resource": "*"}), {"key": "k1"})
    assert json.loads(output["got"]["body"]) == {"a": 1}
    assert output["row"]["Item"] == {"id": {"S": "k1"}} and "MessageId" in output["told"]
    assert bodies(aws, queue) == ['{"key": "k1"}']
    assert aws.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/made"


def test_the_role_decides(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    machine = machines.make({"A": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "x"})}, ANY_QUEUE)
    machines.run(machine)
    aws.client("iam").delete_role_policy(RoleName="role-m", PolicyName="p0")
    error, cause = machines.run(machine, status="FAILED")
    assert error.startswith("SQS.") and "is not authorized to perform: sqs:SendMessage" in cause
    assert "assumed-role/role-m/" in cause


def test_a_role_that_does_not_trust_step_functions(machines: Machines) -> None:
    elsewhere = json.loads(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        )
    )
    role = machines.role(name="other", trust=elsewhere)
    with pytest.raises(ClientError, match="Neither the global service principal"):
        machines.make({"A": {"Type": "Succeed"}}, role=role)


def test_a_failing_step_fails_its_chain(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    states = {
        "A": task("sqs:sendMessage", {"QueueUrl": queue + "-not-there", "MessageBody": "x"}, Next="B"),
        "B": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "never"}),
    }
    execution = machines.start(machines.make(states, ANY_QUEUE))
    found = machines.wait(execution, "FAILED")
    assert found["error"].startswith("SQS.") and found["cause"] and "output" not in found and "stopDate" in found
    assert machines.types(execution)[-3:] == ["TaskStarted", "TaskFailed", "ExecutionFailed"]
    assert bodies(aws, queue) == []


def test_retries_follow_the_clock(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    aws.fault("SendMessage", "ThrottlingException", times=3)
    retry = [
        {
            "ErrorEquals": ["States.TaskFailed"],
            "IntervalSeconds": 600,
            "BackoffRate": 2,
            "MaxAttempts": 3,
            "MaxDelaySeconds": 1500,
        }
    ]
    sends = task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "x"}, Retry=retry)
    execution = machines.start(machines.make({"A": sends}, ANY_QUEUE))
    began = aws.now()
    aws.advance(6 * HOUR)
    machines.wait(execution)
    failed = [event["timestamp"] for event in machines.history(execution) if event["type"] == "TaskFailed"]
    after = [round((when - began).total_seconds(), -1) for when in failed]
    assert after == [0, 600, 1800]  # and then 1,500 seconds, no 2,400
    [end] = [e["timestamp"] for e in machines.history(execution) if e["type"] == "ExecutionSucceeded"]
    assert round((end - began).total_seconds(), -1) == 3300
    assert bodies(aws, queue) == ["x"]


def test_retries_end(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    aws.fault("SendMessage", "ThrottlingException", times=None)
    retry = [
        {"ErrorEquals": ["Other"], "MaxAttempts": 9},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2},
    ]
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]
    states = {
        "A": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "x"}, Retry=retry, Catch=catch, Next="B"),
        "B": {"Type": "Fail", "Error": "NotReached"},
        "Caught": {"Type": "Pass", "End": True},
    }
    execution = machines.start(machines.make(states, ANY_QUEUE), {"keep": 1})
    aws.advance(60)
    output = json.loads(machines.wait(execution)["output"])
    assert output["keep"] == 1 and output["error"]["Error"].startswith("SQS.")
    assert machines.types(execution).count("TaskFailed") == 3
    aws.clear_faults()


def test_what_states_all_does_not_catch(machines: Machines) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {
        "A": task("sqs:sendMessage", {"QueueUrl.$": "$.missing", "MessageBody": "x"}, Catch=catch, Next="Caught"),
        "Caught": {"Type": "Succeed"},
    }
    error, cause = machines.run(machines.make(states, ANY_QUEUE), status="FAILED")
    assert error == "States.Runtime" and "$.missing" in cause


def test_choices_and_a_fail_state(machines: Machines) -> None:
    states = {
        "C": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.n", "NumericGreaterThan": 1}, {"Variable": "$.s", "StringMatches": "a*"}],
                    "Next": "Yes",
                },
                {"Variable": "$.n", "IsPresent": False, "Next": "Bad"},
            ],
            "Default": "No",
        },
        "Yes": {"Type": "Pass", "Result": "yes", "End": True},
        "No": {"Type": "Pass", "Result": "no", "End": True},
        "Bad": {"Type": "Fail", "Error": "NoN", "Cause": "there is no n"},
    }
    machine = machines.make(states)
    assert machines.run(machine, {"n": 2, "s": "abc"}) == "yes"
    assert machines.run(machine, {"n": 1, "s": "abc"}) == "no"
    assert machines.run(machine, {}, status="FAILED") == ("NoN", "there is no n")


def test_times_are_compared(aws: EmbeddedAws, machines: Machines) -> None:
    entered = "$$.State.EnteredTime"
    states = {
        "C": {
            "Type": "Choice",
            "Choices": [
                {"Variable": entered, "TimestampLessThanPath": "$.until", "Next": "W"},
                {"Variable": "$.until", "TimestampEquals": "2026-03-14T01:59:00.000Z", "Next": "Same"},
                {"Variable": entered, "TimestampGreaterThanEqualsPath": "$.until", "Next": "Over"},
            ],
        },
        "W": {"Type": "Wait", "TimestampPath": "$.until", "Next": "C"},
        "Same": {"Type": "Pass", "Result": "same", "End": True},
        "Over": {"Type": "Pass", "Result": "over", "End": True},
    }
    machine = machines.make(states)
    assert machines.run(machine, {"until": "2026-03-13T21:59:00-04:00"}) == "same"
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.500000000Z", "%Y-%m-%dT%H:%M:%S+00:00"):
        execution = machines.start(machine, {"until": (aws.now() + timedelta(hours=3)).strftime(form)})
        aws.advance(3 * HOUR + 5)
        assert json.loads(machines.wait(execution)["output"]) == "over"
        assert machines.types(execution).count("WaitStateEntered") == 1, form


def test_no_choice(machines: Machines) -> None:
    states = {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "S"}]},
        "S": {"Type": "Succeed"},
    }
    error, cause = machines.run(machines.make(states), {"n": 2}, status="FAILED")
    assert error == "States.NoChoiceMatched" and "entered at the event id #2" in cause


def test_the_context_object(aws: EmbeddedAws, machines: Machines) -> None:
    aws.advance(3 * 24 * HOUR)
    given = {
        "started.$": "$$.Execution.StartTime",
        "entered.$": "$$.State.EnteredTime",
        "name.$": "$$.Execution.Name",
        "date.$": "States.ArrayGetItem(States.StringSplit($$.Execution.StartTime, 'T'), 0)",
    }
    found = machines.run(machines.make({"A": {"Type": "Pass", "Parameters": given, "End": True}}), name="n1")
    assert (
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["started"])
        and found["entered"] >= found["started"]
    )
    assert (found["name"], found["date"]) == ("n1", aws.now().date().isoformat())


def test_an_execution_that_waits_rests(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    states = {
        "Wait": {"Type": "Wait", "Seconds": 30 * 24 * HOUR, "Next": "Until"},
        "Until": {"Type": "Wait", "TimestampPath": "$.until", "Next": "Tell"},
        "Tell": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "x"}),
    }
    until = (aws.now().replace(microsecond=0)).timestamp() + 40 * 24 * HOUR
    import datetime

    text = datetime.datetime.fromtimestamp(until, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    execution = machines.start(machines.make(states, ANY_QUEUE), {"until": text})
    aws.advance(39 * 24 * HOUR)
    assert bodies(aws, queue) == []
    aws.advance(2 * 24 * HOUR)
    found = machines.wait(execution)
    assert abs(found["stopDate"].timestamp() - until) < 30
    assert bodies(aws, queue) == ["x"]


def test_events_and_their_failures(aws: EmbeddedAws, machines: Machines) -> None:
    entry = {"Source": "app", "DetailType": "Done", "Detail": {"n.$": "$.n"}}
    machine = machines.make(
        {"Put": task("events:putEvents", {"Entries": [entry]})}, {"Action": "events:PutEvents", "Resource": "*"}
    )
    assert machines.run(machine, {"n": 1})["FailedEntryCount"] == 0
    bad = machines.make(
        {"Put": task("events:putEvents", {"Entries": [{**entry, "EventBusName": "none"}]})},
        {"Action": "events:PutEvents", "Resource": "*"},
        name="bad",
    )
    machines.wait(machines.start(bad, {"n": 1}), "FAILED")


def test_a_machines_time_limit(aws: EmbeddedAws, machines: Machines) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 10 * HOUR, "End": True}}
    execution = machines.start(machines.make(states, top={"TimeoutSeconds": HOUR}))
    aws.advance(2 * HOUR)
    found = machines.wait(execution, "TIMED_OUT")
    assert abs((found["stopDate"] - found["startDate"]).total_seconds() - HOUR) < 30
    assert machines.types(execution)[-2:] == ["WaitStateAborted", "ExecutionTimedOut"]


def test_a_tasks_time_limit(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    catch = [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.error", "Next": "Late"}]
    parameters = {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}}
    states = {
        "Ask": task("sqs:sendMessage.waitForTaskToken", parameters, TimeoutSeconds=HOUR, Catch=catch, Next="Early"),
        "Early": {"Type": "Fail"},
        "Late": {"Type": "Wait", "Seconds": HOUR, "End": True},
    }
    execution = machines.start(machines.make(states, ANY_QUEUE))
    aws.advance(30 * 60)
    [body] = bodies(aws, queue)
    aws.advance(45 * 60)
    with pytest.raises(ClientError, match="TaskTimedOut"):
        machines.client.send_task_success(taskToken=json.loads(body)["token"], output="{}")
    aws.advance(2 * HOUR)
    assert json.loads(machines.wait(execution)["output"])["error"]["Error"] == "States.Timeout"
    assert "TaskTimedOut" in machines.types(execution)
    with pytest.raises(ClientError, match=r"InvalidToken|TaskTimedOut"):
        machines.client.send_task_success(taskToken=json.loads(body)["token"], output="{}")


def test_a_token_and_its_heartbeats(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    parameters = {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}}
    ask = task("sqs:sendMessage.waitForTaskToken", parameters, HeartbeatSeconds=600)
    machine = machines.make({"Ask": ask}, ANY_QUEUE)

    def token() -> str:
        return str(json.loads(wait_for(lambda: bodies(aws, queue), "the message")[0])["token"])

    answered = machines.start(machine)
    mine = token()
    for _ in range(3):
        aws.advance(500)
        machines.client.send_task_heartbeat(taskToken=mine)
    machines.client.send_task_success(taskToken=mine, output='{"answer": 42}')
    assert json.loads(machines.wait(answered)["output"]) == {"answer": 42}
    assert machines.types(answered)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    refused = machines.start(machine)
    machines.client.send_task_failure(taskToken=token(), error="No", cause="never")
    found = machines.wait(refused, "FAILED")
    assert (found["error"], found["cause"]) == ("No", "never")
    forgotten = machines.start(machine)
    token()
    aws.advance(700)
    assert machines.wait(forgotten, "FAILED")["error"] == "States.HeartbeatTimeout"


def test_a_retry_has_a_token_of_its_own(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    parameters = {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"}
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1}]
    machine = machines.make({"Ask": task("sqs:sendMessage.waitForTaskToken", parameters, Retry=retry)}, ANY_QUEUE)
    execution = machines.start(machine)
    [first] = wait_for(lambda: bodies(aws, queue), "the first message")
    machines.client.send_task_failure(taskToken=first, error="Again")
    aws.advance(5)
    [second] = wait_for(lambda: bodies(aws, queue), "the second message")
    assert first != second
    machines.client.send_task_success(taskToken=second, output='"done"')
    assert json.loads(machines.wait(execution)["output"]) == "done"


def test_an_execution_is_stopped(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    branch = {"StartAt": "W1", "States": {"W1": {"Type": "Wait", "Seconds": HOUR, "End": True}}}
    other = {
        "StartAt": "W2",
        "States": {"W2": {"Type": "Wait", "Seconds": HOUR, "Next": "S2"}, "S2": {"Type": "Succeed"}},
    }
    execution = machines.start(machines.make({"P": {"Type": "Parallel", "Branches": [branch, other], "End": True}}))
    wait_for(lambda: machines.types(execution).count("WaitStateEntered") == 2, "both branches to wait")
    stopped = machines.client.stop_execution(executionArn=execution, error="Enough", cause="because")
    found = machines.wait(execution, "ABORTED")
    assert (found["error"], found["cause"], found["stopDate"]) == ("Enough", "because", stopped["stopDate"])
    wait_for(lambda: machines.types(execution)[-1] == "ExecutionAborted", "the last event", 20)
    assert "ParallelStateAborted" in machines.types(execution)
    aws.advance(2 * HOUR)
    assert "WaitStateExited" not in machines.types(execution)


def test_one_branch_that_fails_ends_all(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    fails = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken", "Cause": "of it"}}}
    waits = {
        "StartAt": "W",
        "States": {
            "W": {"Type": "Wait", "Seconds": 60, "Next": "T"},
            "T": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "no"}),
        },
    }
    machine = machines.make({"P": {"Type": "Parallel", "Branches": [waits, fails], "End": True}}, ANY_QUEUE)
    assert machines.run(machine, status="FAILED") == ("Broken", "of it")
    aws.advance(120)
    assert bodies(aws, queue) == []


def test_a_map_over_items(aws: EmbeddedAws, machines: Machines) -> None:
    double = {"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($.n, $.n)"}, "End": True}
    check = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericGreaterThan": 150, "Next": "F"}],
        "Default": "Pause",
    }
    states = {
        "C": check,
        "F": {"Type": "Fail", "Error": "TooMuch"},
        "Pause": {"Type": "Wait", "Seconds": 5, "Next": "D"},
        "D": double,
    }
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 3,
        "End": True,
        "ItemSelector": {"n.$": "$$.Map.Item.Value"},
        "ItemProcessor": {"StartAt": "C", "States": states},
    }
    machine = machines.make({"M": each})
    execution = machines.start(machine, {"items": list(range(100))})
    aws.advance(HOUR)
    assert [one["twice"] for one in json.loads(machines.wait(execution)["output"])] == [2 * n for n in range(100)]
    failing = machines.start(machine, {"items": [1, 999, 2, 3, 4]})
    assert machines.wait(failing, "FAILED")["error"] == "TooMuch"
    assert machines.run(machine, {"items": []}) == []


def test_an_execution_within_another(aws: EmbeddedAws, machines: Machines) -> None:
    allowed = {"Action": ["states:StartExecution", "states:DescribeExecution", "states:StopExecution"], "Resource": "*"}
    rules = {"Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"], "Resource": "*"}
    inner = machines.make(
        {
            "W": {"Type": "Wait", "Seconds": HOUR, "Next": "C"},
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "F"}],
                "Default": "S",
            },
            "F": {"Type": "Fail", "Error": "Inner"},
            "S": {"Type": "Succeed"},
        },
        name="inner",
    )
    call = task("states:startExecution.sync:2", {"StateMachineArn": inner, "Input.$": "$"})
    with pytest.raises(ClientError, match="not authorized to create managed-rule"):
        machines.make({"Call": call}, allowed, name="no-rules")
    outer = machines.make({"Call": call}, allowed, rules, name="outer")
    good = machines.start(outer, {"fail": False})
    bad = machines.start(outer, {"fail": True})
    aws.advance(2 * HOUR)
    assert json.loads(machines.wait(good)["output"])["Output"] == {"fail": False}
    found = machines.wait(bad, "FAILED")
    assert found["error"] == "States.TaskFailed" and json.loads(found["cause"])["Error"] == "Inner"
    stopped = machines.start(outer, {"fail": False})
    wait_for(lambda: "TaskSubmitted" in machines.types(stopped), "the inner execution")
    machines.client.stop_execution(executionArn=stopped)

    def statuses() -> list[str]:
        listed = machines.client.list_executions(stateMachineArn=inner)["executions"]
        return [one["status"] for one in listed]

    wait_for(lambda: "ABORTED" in statuses(), "the inner execution to be stopped")
    assert "RUNNING" not in statuses()


def test_names_of_executions(machines: Machines) -> None:
    states = {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.wait", "IsPresent": True, "Next": "W"}], "Default": "S"},
        "W": {"Type": "Wait", "Seconds": HOUR, "Next": "S"},
        "S": {"Type": "Succeed"},
    }
    machine = machines.make(states)
    first = machines.start(machine, {"wait": 1}, name="one")
    assert first.endswith(":execution:m:one")
    assert machines.start(machine, {"wait": 1}, name="one") == first  # the same while it runs
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start(machine, {"wait": 2}, name="one")
    machines.run(machine, {}, name="two")
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start(machine, {}, name="two")
    machines.run(machine)
    listed = machines.client.get_paginator("list_executions").paginate(stateMachineArn=machine, maxResults=1)
    assert [e["name"] for page in listed for e in page["executions"]][1:] == ["two", "one"]
    running = machines.client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert [e["name"] for e in running] == ["one"]
    with pytest.raises(ClientError, match="Member must have length less than or equal to 262144"):
        machines.start(machine, {"x": "y" * 270_000})
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        machines.client.start_execution(stateMachineArn=machine, input="{")


def test_the_history_in_pages_and_backwards(machines: Machines) -> None:
    states: dict[str, Any] = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(20)}
    execution = machines.start(machines.make({**states, "P20": {"Type": "Succeed"}}))
    machines.wait(execution)
    history = machines.history(execution)
    assert [event["id"] for event in history] == list(range(1, 45))
    assert history[0]["type"] == "ExecutionStarted" and history[-1]["type"] == "ExecutionSucceeded"
    backwards = machines.client.get_execution_history(
        executionArn=execution, reverseOrder=True, includeExecutionData=False
    )
    assert [event["id"] for event in backwards["events"]] == list(range(44, 0, -1))
    assert "output" not in backwards["events"][0]["executionSucceededEventDetails"]


def test_metrics_and_logs(aws: EmbeddedAws, machines: Machines) -> None:
    group = "/aws/vendedlogs/states/m"
    aws.client("logs").create_log_group(logGroupName=group)
    destination = {
        "cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"}
    }
    logging = {"level": "ERROR", "includeExecutionData": True, "destinations": [destination]}
    states = {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}
    with pytest.raises(ClientError, match="not authorized to access the Log Destination"):
        machines.make(states, name="silent", loggingConfiguration=logging)
    deliver = {
        "Action": ["logs:*LogDelivery", "logs:ListLogDeliveries", "logs:*ResourcePolic*", "logs:DescribeLogGroups"],
        "Resource": "*",
    }
    machine = machines.make(states, deliver, loggingConfiguration=logging)
    machines.run(machine, status="FAILED")
    lines = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    assert [json.loads(line["message"])["type"] for line in lines] == ["FailStateEntered", "ExecutionFailed"]
    assert json.loads(lines[1]["message"])["details"] == {"error": "E", "cause": "c"}
    now = aws.now().timestamp()

    def failures() -> list[Any]:
        found = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/States",
            MetricName="ExecutionsFailed",
            StartTime=now - 600,
            EndTime=now + 600,
            Period=3600,
            Statistics=["Sum"],
            Dimensions=[{"Name": "StateMachineArn", "Value": machine}],
        )
        return list(found["Datapoints"])

    assert wait_for(failures, "the metric")[0]["Sum"] == 1.0


def test_what_a_person_may(aws: EmbeddedAws, machines: Machines) -> None:
    machine = machines.make({"S": {"Type": "Succeed"}})

    def allow(*actions: str) -> dict[str, Any]:
        return {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": machine}],
        }

    keys = aws.new_user("starter", states=allow("states:StartExecution", "states:UpdateStateMachine"))
    mine = aws.client("stepfunctions", credentials=keys)
    execution = mine.start_execution(stateMachineArn=machine)["executionArn"]
    with pytest.raises(ClientError, match="not authorized to perform: states:DescribeExecution"):
        mine.describe_execution(executionArn=execution)
    role = aws.client("iam").get_role(RoleName="role-m")["Role"]["Arn"]
    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
        mine.update_state_machine(stateMachineArn=machine, roleArn=role)
    aws.change_policy("arn:aws:iam::123456789012:policy/starter-states", allow("states:UpdateStateMachine"))
    with pytest.raises(ClientError, match="not authorized to perform: states:StartExecution"):
        mine.start_execution(stateMachineArn=machine)


def test_from_the_command_line(aws: EmbeddedAws, machines: Machines, queue: str) -> None:
    machine = machines.make({"A": task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "x"})}, ANY_QUEUE)

    def cli(*arguments: str) -> Any:
        command = [str(Path(sys.executable).parent / "aws"), "stepfunctions", *arguments, "--output", "json"]
        said = subprocess.run(command, env=aws.env, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(said.stdout)

    execution = cli("start-execution", "--state-machine-arn", machine, "--input", "{}")["executionArn"]
    machines.wait(execution)
    assert cli("describe-execution", "--execution-arn", execution)["status"] == "SUCCEEDED"
    history = cli("get-execution-history", "--execution-arn", execution)["events"]
    assert [event["type"] for event in history][-2:] == ["TaskStateExited", "ExecutionSucceeded"]
