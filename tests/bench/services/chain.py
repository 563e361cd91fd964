"""A chain of three steps against its processes alone: `python -m tests.bench.services.chain`."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from local_aws.testing import EmbeddedAws
from tests.bench.table import Row, Section, Target
from tests.services.awslambda.functions import create
from tests.services.ecs.account import PREFIX, EcsAccount
from tests.services.stepfunctions.conftest import Machines, task

STEPS, WORK, MOST = 3, 0.5, 2.0  # steps, seconds of work in each, seconds that the chain may add
PROGRAM = f"import time; time.sleep({WORK})"
HANDLER = f"import time\n\ndef handler(event, context):\n    time.sleep({WORK})\n    return event\n"
EVERYTHING = [
    {"Action": ["lambda:InvokeFunction", "ecs:*", "events:*"], "Resource": "*"},
    {"Action": "iam:PassRole", "Resource": f"{PREFIX}*"},
]


def measure(folder: Path, rounds: int) -> Section:
    """Return the report. `folder` is for the embedded AWS and an image."""
    aws = EmbeddedAws(folder / "home")
    try:
        account, machines = EcsAccount(aws), Machines(aws)
        role = machines.role(*EVERYTHING)
        network = {"AwsvpcConfiguration": {"Subnets": [account.subnet], "AssignPublicIp": "ENABLED"}}
        ran = {"Cluster": "jobs", "TaskDefinition": account.define(PROGRAM), "NetworkConfiguration": network}
        chains = {
            "functions": _chain(task("lambda:invoke", {"FunctionName": create(aws, HANDLER, Timeout=30)})),
            "tasks": _chain(task("ecs:runTask.sync", ran)),
        }
        section = Section(
            f"A chain of {STEPS} steps, {WORK} s of work in each",
            "An execution from StartExecution to its stopDate, against the same processes started one after the other.",
            [Row("the processes alone", [_alone() for _ in range(rounds)])],
        )
        for name, states in chains.items():
            machine = machines.make(states, name=name, role=role)
            machines.run(machine)  # a function's environment is warm, an image is there
            section.rows.append(Row(f"a chain of {name}", [_seconds(machines, machine) for _ in range(rounds)]))
            # Warm functions have no process to start.
            least = STEPS * WORK if name == "functions" else section.rows[0].median
            added = section.rows[-1].median - least
            section.targets.append(Target(f"what a chain of {STEPS} {name} adds", added, MOST, unit="s"))
        return section
    finally:
        aws.stop()


def _chain(step: dict[str, Any]) -> dict[str, Any]:
    names = [f"S{number}" for number in range(STEPS)]
    states = {name: {**step, "Next": following} for name, following in itertools.pairwise(names)}
    for state in states.values():
        state.pop("End")
    return {**states, names[-1]: step}


def _alone() -> float:
    began = time.perf_counter()
    for _ in range(STEPS):
        subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    return time.perf_counter() - began


def _seconds(machines: Machines, machine: str) -> float:
    found = machines.wait(machines.start(machine))
    return float((found["stopDate"] - found["startDate"]).total_seconds())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as temporary:
        print(measure(Path(temporary), 3).terminal())
