"""What is killed while a stack works, and who kills it: processes with SIGKILL, as nothing can prepare for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from local_aws import control
from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.volatility.daily_stack import PREFIX, ROOT, Stack

PATIENCE = 300.0  # seconds in which what is to be killed must appear: a function starts slowly on a busy machine
HELD = 6.0  # seconds that a write is held up for while its writer is killed


def while_passing(stack: Stack, day: str, clock: str, happens: Callable[[], None]) -> None:
    """Let time pass until `clock` of `day`, and something happen meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        passing = pool.submit(stack.advance_to, day, clock)
        happens()
        passing.result()


def function_killed(stack: Stack, step: str, *, writing: str = "", times: int = 1) -> Callable[[], None]:
    """Return what kills a function's process when it works, `times` times; `writing`: when it writes below this key.

    The write arrives all the same, after its writer's death, as a request that is under way does.
    """
    aws = stack.aws
    if writing:
        aws.fault("PutObject", times=times, delay=HELD, Key=f"{writing}*")

    def kill() -> None:
        killed: set[int] = set()
        for count in range(times):
            if writing:
                wait_for(lambda: _left(aws) < times - count, f"{step} to write {writing}", timeout=PATIENCE)  # noqa: B023
            [process] = wait_for(
                lambda: _processes(aws, step) - killed, f"{step} to run", timeout=PATIENCE, interval=0.02
            )
            killed.add(process)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    return kill


def task_killed(stack: Stack, *, times: int = 1) -> None:
    """Kill the process of the training that runs, and that of the next one."""
    killed: set[int] = set()
    for _ in range(times):
        [process] = wait_for(lambda: _of_tasks(stack.aws) - killed, "the training's process", timeout=PATIENCE)
        killed.add(process)
        os.kill(process, signal.SIGKILL)


def taken_by_spot(stack: Stack) -> None:
    """Let Spot take the training back that runs."""
    [task] = wait_for(
        lambda: [one for one in stack.tasks() if one["lastStatus"] == "RUNNING"], "the training", timeout=PATIENCE
    )
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    command = [sys.executable, "-m", "local_aws", "spot-notice", task["taskArn"]]
    environment = os.environ | stack.aws.env
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def written(aws: EmbeddedAws, change: Callable[[], None]) -> None:
    """Change what is in S3, and wait for its next copy on disk."""

    def copies() -> set[tuple[str, int]]:
        return {(one.name, one.stat().st_mtime_ns) for one in Home(aws.home).state.glob("moto.s3.*.pickle")}

    before = copies()
    change()
    wait_for(lambda: copies() - before, "S3 to be on disk", timeout=PATIENCE)


def computer_restarted(aws: EmbeddedAws) -> None:
    """Kill the embedded AWS itself, and start it again with what it has on its disk."""
    os.kill(aws.server.pid, signal.SIGKILL)
    aws.server = control.start(Home(aws.home))[0]


def _left(aws: EmbeddedAws) -> int:
    """How many writes will still be held up."""
    return sum(int(one["times"]) for one in aws.faults())


def _processes(aws: EmbeddedAws, step: str) -> set[int]:
    """The processes of a function that work."""
    return {
        one["process"]
        for one in _said(aws, "functions")
        if one["state"] == "running" and f":function:{PREFIX}-{step}:" in f"{one['function']}:"
    }


def _of_tasks(aws: EmbeddedAws) -> set[int]:
    """The processes of the tasks that run."""
    return {
        process for one in _said(aws, "tasks") if one["status"] == "RUNNING" for process in one["processes"].values()
    }


def _said(aws: EmbeddedAws, what: str) -> list[dict[str, Any]]:
    said = control.health(aws.endpoint) or {}
    return list(said.get(what, []))  # type: ignore[call-overload]
