"""The daemon is killed: functions, APIs and events that were accepted come back; a stop leaves no process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws import control, processes
from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.apigateway.apis import Api, make
from tests.services.awslambda.functions import create, invoke, logged, role

COUNTS = """
import os
def handler(event, context):
    print("tried")
    with open(event["file"], "a") as file:
        file.write("x")
    if os.path.getsize(event["file"]) < 2:
        raise RuntimeError("not yet")
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedAws]:
    aws = EmbeddedAws(tmp_path / "home")
    yield aws
    aws.stop()


def crash(aws: EmbeddedAws, mark: bytes) -> EmbeddedAws:
    """Kill the daemon once what is marked is on the disk, and start the next."""
    aws.client("ssm").put_parameter(Name="/mark", Value=mark.decode(), Type="String", Overwrite=True)
    folder = Home(aws.home).state
    wait_for(lambda: any(mark in file.read_bytes() for file in folder.glob("*.pickle")), f"{mark!r} on disk")
    os.kill(aws.server.pid, signal.SIGKILL)
    return EmbeddedAws(aws.home)


@pytest.mark.services
def test_an_event_is_tried_again_after_a_crash(own: EmbeddedAws, meeting: str) -> None:
    create(own, COUNTS)
    file = Path(meeting, "tries")
    invoke(own, {"file": str(file)}, InvocationType="Event")
    assert logged(own).count("tried\n") == 1
    again = crash(own, b"after-one-try")
    assert logged(again).count("tried\n") == 1  # the log is there
    again.advance(70)
    assert file.read_text() == "xx"
    again.advance(200)
    assert file.read_text() == "xx"  # that was a success


@pytest.mark.services
def test_an_api_answers_after_a_crash(own: EmbeddedAws) -> None:
    api = make(own)
    api.plan("one", quota={"limit": 2, "period": "DAY"})
    assert api.call("POST", "/predict", {"date": "2026-11-30"}, key="one").status == 200
    again = Api(crash(own, b"after-one-call"), api.id, keys=api.keys)
    statuses = [again.call("POST", "/predict", {"date": "2026-11-30"}, key="one").status for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.services
def test_a_stop_leaves_no_process(own: EmbeddedAws) -> None:
    forks = """
    import subprocess
    def handler(event, context):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        return 1
    """
    create(own, forks, role_arn=role(own))
    invoke(own)
    mark = Home(own.home).machine_marker("lambda-f")
    assert len(processes.marked(mark)) >= 2
    [said] = control.health(own.endpoint)["functions"]  # type: ignore[index]
    assert said["state"] == "warm"
    control.stop(Home(own.home))
    assert processes.marked(mark) == []
