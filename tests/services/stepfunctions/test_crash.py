"""The embedded AWS is killed in the middle of executions, and they go on."""

from __future__ import annotations

import json
import os
import signal
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
