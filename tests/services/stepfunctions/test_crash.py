"""The embedded AWS is killed in the middle of executions, and they go on."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.stepfunctions.conftest import Machines, task

HOUR = 3600

pytestmark = pytest.mark.services


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedAws]:
    aws = EmbeddedAws(tmp_path / "home")
    yield aws
    aws.stop()


def crash(aws: EmbeddedAws, mark: str) -> EmbeddedAws:
    """Kill it once its state on disk has the mark, and start the next."""
    folder = Home(aws.home).state
    aws.client("ssm").put_parameter(Name=f"/{mark}", Value=mark, Type="String")
    for name in ("ssm", "stepfunctions"):
        wait_for(
            lambda name=name: any(mark.encode() in file.read_bytes() for file in folder.glob(f"moto.{name}*.pickle")),
            f"{mark} on disk",
        )
    os.kill(aws.server.pid, signal.SIGKILL)
    return EmbeddedAws(aws.home)


def messages(aws: EmbeddedAws, queue: str) -> list[str]:
    sqs = aws.client("sqs")
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in got]


def test_what_was_done_is_not_done_again(own: EmbeddedAws) -> None:
    queue = own.client("sqs").create_queue(QueueName="q")["QueueUrl"]

    def sends(text: str, **more: Any) -> dict[str, Any]:
        return task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": text}, ResultPath=None, **more)

    branches = [
        {
            "StartAt": f"S{n}",
            "States": {
                f"S{n}": sends(f"branch {n}", Next=f"W{n}"),
                f"W{n}": {"Type": "Wait", "Seconds": n * HOUR, "End": True},
            },
        }
        for n in (1, 2)
    ]
    ask = task("sqs:sendMessage.waitForTaskToken", {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"}, Next="Wait")
    states = {
        "First": sends("first", Next="Missing"),
        "Missing": task(
            "sqs:sendMessage",
            {"QueueUrl": f"{queue}-none", "MessageBody": "x"},
            Next="Bad",
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "P"}],
        ),
        "Bad": {"Type": "Fail"},
        "P": {"Type": "Parallel", "Branches": branches, "Next": "Ask"},
        "Ask": ask,
        "Wait": {"Type": "Wait", "Seconds": HOUR, "Next": "Last"},
        "Last": sends("last-mark"),
    }
    machines = Machines(own)
    execution = machines.start(machines.make(states, {"Action": "sqs:SendMessage", "Resource": "*"}))
    wait_for(lambda: machines.types(execution).count("WaitStateEntered") == 2, "both branches to wait")
    assert sorted(messages(own, queue)) == ["branch 1", "branch 2", "first"]
    before = machines.history(execution)

    own = crash(own, "WaitStateEntered")
    machines = Machines(own)
    wait_for(lambda: len(machines.history(execution)) >= len(before), "the execution to be where it was")
    again = machines.history(execution)
    assert [(e["id"], e["type"]) for e in again[:6]] == [(e["id"], e["type"]) for e in before[:6]]
    assert [e["timestamp"] for e in again[:6]] == [e["timestamp"] for e in before[:6]]
    own.advance(2.5 * HOUR)
    [token] = messages(own, queue)

    own = crash(own, token)
    machines = Machines(own)
    wait_for(lambda: "TaskSubmitted" in machines.types(execution), "the execution to be where it was")
    machines.client.send_task_success(taskToken=token, output="{}")
    own.advance(2 * HOUR)
    machines.wait(execution)
    assert messages(own, queue) == ["last-mark"]


def test_an_execution_that_waits_for_another(own: EmbeddedAws) -> None:
    machines = Machines(own)
    inner = machines.make({"W": {"Type": "Wait", "Seconds": HOUR, "Next": "S"}, "S": {"Type": "Succeed"}}, name="inner")
    everything = {"Action": ["states:*", "events:*"], "Resource": "*"}
    call = task("states:startExecution.sync:2", {"StateMachineArn": inner, "Input": {"a": 1}})
    outer = machines.make({"Call": call}, everything, name="outer")
    execution = machines.start(outer)
    wait_for(lambda: "TaskSubmitted" in machines.types(execution), "the inner execution")
    machines = Machines(crash(own, "TaskSubmitted"))
    wait_for(lambda: "TaskSubmitted" in machines.types(execution), "the execution to be where it was")
    machines.aws.advance(2 * HOUR)
    assert json.loads(machines.wait(execution)["output"])["Output"] == {"a": 1}
    assert len(machines.client.list_executions(stateMachineArn=inner)["executions"]) == 1


def test_killed_again_and_again(own: EmbeddedAws) -> None:
    """Wherever it is killed: every step is done, and at most those that were under way a second time."""
    queue = own.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    order, kills, executions = random.Random(7), 3, 4

    def sends(name: str, **more: Any) -> dict[str, Any]:
        body = {"QueueUrl": queue, "MessageBody.$": f"States.Format('{{}} {name}', $$.Execution.Name)"}
        return task("sqs:sendMessage", body, ResultPath=None, **more)

    states: dict[str, Any] = {}
    for n in range(4):
        states[f"S{n}"] = sends(f"S{n}", Next=f"W{n}")
        states[f"W{n}"] = {"Type": "Wait", "Seconds": 1, "Next": f"S{n + 1}" if n < 3 else "P"}
    branches = [
        {"StartAt": f"B{n}", "States": {f"B{n}": sends(f"B{n}", Next=f"V{n}"), f"V{n}": {"Type": "Succeed"}}}
        for n in (1, 2)
    ]
    states["P"] = {"Type": "Parallel", "Branches": branches, "End": True}
    machines = Machines(own)
    machine = machines.make(states, {"Action": "sqs:SendMessage", "Resource": "*"})
    started = [machines.start(machine, name=f"e{n}") for n in range(executions)]
    folder = Home(own.home).state
    for name, mark in (("stepfunctions", b"execution:m:e3"), ("sqs", b"moto.sqs.models"), ("iam", b"sqs:SendMessage")):
        wait_for(
            lambda name=name, mark=mark: any(mark in file.read_bytes() for file in folder.glob(f"moto.{name}*")),
            name,
            30,
        )
    for _ in range(kills):
        time.sleep(order.uniform(0.5, 2.5))  # a moment like any other, not one that is waited for
        os.kill(own.server.pid, signal.SIGKILL)
        own = EmbeddedAws(own.home)
    machines = Machines(own)
    for execution in started:
        machines.wait(execution)
        history = machines.history(execution)
        assert [event["id"] for event in history] == list(range(1, len(history) + 1))
        assert [event["type"] for event in history].count("TaskSucceeded") == 6
    done: Counter[str] = Counter()
    while got := messages(own, queue):
        done.update(got)
    # The queue itself may have lost its last moments, as it is written after the journal or before it.
    assert sum(done.values()) - len(done) <= kills * executions * 2
