"""The daemon is killed while a task runs: the task has lost its host, its image is there, and the next one runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local_aws import processes
from local_aws.testing import EmbeddedAws, wait_for

from .account import EcsAccount


@pytest.mark.services
def test_a_task_whose_host_is_killed_has_stopped_and_the_next_one_runs(tmp_path: Path):
    aws = EmbeddedAws(tmp_path / "home")
    try:
        account = EcsAccount(aws)
        # Not only looked at: what nobody has changed in EC2 is made anew by the next daemon, with other ids.
        aws.client("ec2").create_tags(Resources=[account.subnet], Tags=[{"Key": "kept", "Value": "yes"}])
        ended = account.finish("raise SystemExit(4)")["taskArn"]
        arn = account.run(account.define("print('up')", "import time; time.sleep(600)"))
        account.wait_for_line(arn, "up")
        aws.client("ssm").put_parameter(Name="/mark", Value="everything-until-here", Type="String")
        wait_for(lambda: _written(aws, b"everything-until-here"), "the state to be on disk")
        os.kill(aws.server.pid, signal.SIGKILL)
        aws = account.aws = EmbeddedAws(aws.home)
        account.ecs, account.iam = aws.client("ecs"), aws.client("iam")
        task = account.wait(arn)
        assert task["stopCode"] == "InfrastructureHealth"
        assert "host of this task failed" in task["stoppedReason"]
        assert "exitCode" not in task["containers"][0]
        assert processes.marked(f"{aws.home}:ecs-") == []
        assert account.task(ended)["containers"][0]["exitCode"] == 4
        again = account.wait(account.run(account.define("print('again')")))
        assert account.lines(again["taskArn"]) == ["again"]
    finally:
        aws.stop()


def _written(aws: EmbeddedAws, what: bytes) -> bool:
    return any(what in file.read_bytes() for file in (aws.home / "state").glob("*.pickle"))
