"""An execution that failed goes on from where it failed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.stepfunctions.conftest import Machines, task

HOUR = 3600


def bodies(aws: EmbeddedAws, queue: str) -> list[str]:
    sqs = aws.client("sqs")
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(message["Body"] for message in got)


def test_a_failed_chain_goes_on(aws: EmbeddedAws, machines: Machines) -> None:
    queue = str(aws.client("sqs").create_queue(QueueName="q")["QueueUrl"])

    def sends(text: str, url: str = queue, **more: Any) -> dict[str, Any]:
        return task("sqs:sendMessage", {"QueueUrl": url, "MessageBody": text}, ResultPath=None, **more)

    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "P"}]
    branches = [
        {"StartAt": "B1", "States": {"B1": sends("branch 1")}},
        {
            "StartAt": "W2",
            "States": {
                "W2": {"Type": "Wait", "Seconds": 5, "Next": "B2"},
                "B2": sends("branch 2", f"{queue}-later", Retry=retry),
            },
        },
    ]
    states = {
        "First": sends("first", Next="Caught"),
        "Caught": sends("never", f"{queue}-none", Catch=catch, Next="P"),
        "P": {"Type": "Parallel", "Branches": branches, "ResultPath": None, "Next": "Last"},
        "Last": sends("last"),
    }
    execution = machines.start(machines.make(states, {"Action": "sqs:SendMessage", "Resource": "*"}))
    redrive = machines.client.redrive_execution
    with pytest.raises(ClientError, match=r"ExecutionNotRedrivable.*RUNNING"):
        redrive(executionArn=execution)
    aws.advance(HOUR)
    assert machines.wait(execution, "FAILED")["redriveStatus"] == "REDRIVABLE"
    assert bodies(aws, queue) == ["branch 1", "first"]
    before = machines.history(execution)
    redrive(executionArn=execution)
    aws.advance(HOUR)
    again = machines.wait(execution, "FAILED")
    assert again["redriveCount"] == 1 and bodies(aws, queue) == []
    aws.client("sqs").create_queue(QueueName="q-later")
    redrive(executionArn=execution)
    aws.advance(HOUR)
    found = machines.wait(execution)
    assert (found["redriveCount"], found["redriveStatus"]) == (2, "NOT_REDRIVABLE")
    assert bodies(aws, queue) == ["last"] and bodies(aws, f"{queue}-later") == ["branch 2"]
    history = machines.history(execution)
    assert history[: len(before)] == before and history[len(before)]["type"] == "ExecutionRedriven"
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    names = [e["stateEnteredEventDetails"]["name"] for e in history if "stateEnteredEventDetails" in e]
    assert (names.count("First"), names.count("Caught"), names.count("Last")) == (1, 1, 1)
    with pytest.raises(ClientError, match=r"ExecutionNotRedrivable.*SUCCEEDED"):
        redrive(executionArn=execution)


def test_one_that_was_stopped_or_ran_out_of_time(aws: EmbeddedAws, machines: Machines) -> None:
    waits = {"W": {"Type": "Wait", "Seconds": 10 * HOUR, "End": True}}
    late = machines.start(machines.make(waits, name="late", top={"TimeoutSeconds": HOUR}))
    stopped = machines.start(machines.make(waits, name="stopped"))
    machines.client.stop_execution(executionArn=stopped)
    aws.advance(2 * HOUR)
    machines.wait(late, "TIMED_OUT")
    for execution in (late, stopped):
        machines.client.redrive_execution(executionArn=execution)
    aws.advance(11 * HOUR)
    machines.wait(late, "TIMED_OUT")
    machines.wait(stopped)
    aws.advance(15 * 24 * HOUR)
    with pytest.raises(ClientError, match="exceeded the redrivable period"):
        machines.client.redrive_execution(executionArn=late)
