"""A daemon that is killed: schedules and rules go on, and what was due meanwhile fires once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.accounts import Queue, allow, may, role
from tests.services.scheduler.test_firing import create, stamped


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedAws]:
    aws = EmbeddedAws(tmp_path / "home")
    yield aws
    aws.stop()


def kill(aws: EmbeddedAws, mark: str = "the-mark") -> None:
    """Kill the daemon when what was asked is on disk."""
    aws.client("ssm").put_parameter(Name="/mark", Value=mark, Type="String", Overwrite=True)
    folder = Home(aws.home).state
    wait_for(lambda: any(mark.encode() in file.read_bytes() for file in folder.glob("moto.ssm*")), "the state on disk")
    os.kill(aws.server.pid, signal.SIGKILL)


def arrived(queue: Queue, number: int) -> list[str]:
    found: list[str] = []

    def enough() -> bool:
        found.extend(queue.bodies())
        return len(found) >= number

    wait_for(enough, f"{number} messages")
    return found


@pytest.mark.services
def test_what_was_due_while_nobody_was_there_fires_once(own: EmbeddedAws) -> None:
    queue = Queue(own, "fired")
    sender = role(own, "sender", "scheduler.amazonaws.com", allow("sqs:SendMessage", queue.arn))
    due = (own.now() + timedelta(seconds=8)).replace(microsecond=0)
    create(own, f"at({due:%Y-%m-%dT%H:%M:%S})", stamped(queue, sender), "once", ActionAfterCompletion="DELETE")
    create(own, "rate(1 hour)", stamped(queue, sender), "often", StartDate=due - timedelta(hours=30))
    own.client("events").put_rule(Name="rule", ScheduleExpression="rate(1 hour)")
    queue.let_send("events.amazonaws.com")
    own.client("events").put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": queue.arn, "Input": '"rule"'}])
    kill(own)
    wait_for(lambda: time.time() > due.timestamp() + 1, "it to be past")
    again = EmbeddedAws(own.home)
    queue = Queue(again, "fired")
    queue.let_send("events.amazonaws.com")
    assert sorted(arrived(queue, 2)) == [f"{due:%Y-%m-%dT%H:%M:%SZ}"] * 2
    assert [one["Name"] for one in again.client("scheduler").list_schedules()["Schedules"]] == ["often"]
    # What recurs goes on.
    again.advance(3600)
    assert len(queue.messages()) == 2
    kill(again, "the-second-mark")
    third = EmbeddedAws(own.home)
    third.advance(3600)
    assert len(Queue(third, "fired").messages()) == 2


@pytest.mark.services
def test_what_was_being_tried_is_tried_again(own: EmbeddedAws) -> None:
    queue, dead = Queue(own, "fired"), Queue(own, "dead", "events.amazonaws.com")
    sender = role(own, "sender", "scheduler.amazonaws.com", allow("sqs:SendMessage", dead.arn))
    runner = role(own, "runner", "events.amazonaws.com", allow("sqs:SendMessage", queue.arn))
    create(own, "rate(1 day)", stamped(queue, sender, DeadLetterConfig={"Arn": dead.arn}))
    events = own.client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
    target = {"Id": "1", "Arn": queue.arn, "RoleArn": runner, "Input": '"event"', "DeadLetterConfig": {"Arn": dead.arn}}
    events.put_targets(Rule="r", Targets=[target])
    own.advance(1)
    own.fault("SendMessage", "ServiceUnavailable", "later", status=503, times=None)
    events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])
    own.advance(600)
    assert queue.messages() == [] and dead.messages() == []
    kill(own)
    again = EmbeddedAws(own.home)
    may(again, "sender", allow("sqs:SendMessage", "*"))
    again.advance(600)
    assert sorted(body[:7] for body in Queue(again, "fired").bodies()) == ['"event"', f"{again.now():%Y-%m-}"[:7]]
