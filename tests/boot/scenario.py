"""One run with a machine of level nspawn: what a fault needs to see of it, and what must be true of its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_aws.remote_shell import RemoteShell
from tests.e2e.operator import ROOT, Operator, eventually

LOGS = ("bootstrap", "pipeline", "training", "watcher", "console")
LOG_FOLDER = "/var/log/chronos-training"
PIPELINE, TRAINER = "/run/chronos-training/pipeline.pid", "/run/chronos-training/trainer.pid"
END_SECONDS = 300.0


@dataclass
class Scenario:
    """A run from its launch to its end. `noted` is what the logs had when the fault came."""

    operator: Operator
    folder: Path
    run_id: str = ""
    instance_id: str = ""
    noted: dict[str, str] = field(default_factory=dict)
    stoppers: list[subprocess.Popen[str]] = field(default_factory=list)

    def launch(self, config: dict[str, Any], **variables: Any) -> None:
        """Launch as a person would, with a watcher that looks every 2 s."""
        path = self.folder / "mine.yaml"
        path.write_text(yaml.safe_dump(config))
        given = {"training_launch_config_file": str(path), "training_launch_watch_seconds": 2, **variables}
        self.operator.play("launch_training", **given).succeeded()
        self.find()

    def find(self) -> None:
        """Take run and instance from the state."""
        state = self.operator.state()
        assert state is not None
        self.run_id, self.instance_id = state["run_id"], state["instance_id"]

    @property
    def remote_shell(self) -> RemoteShell:
        """A remote shell in the machine."""
        return self.operator.aws.remote_shell(self.instance_id)

    def wait_for_step(self, step: str, training_step: int = 0) -> None:
        """Wait until the run is in `step` (and the training at `training_step`)."""

        def there() -> bool:
            state = self.operator.state() or {}
            at = state.get("current_step") == step
            return at and state.get("progress", {}).get("step", 0) >= training_step

        eventually(there, f"step {step}")

    def wait_for_checkpoint(self) -> None:
        """Wait until a checkpoint of the run is in S3, whole: its hash is in the list that is stored after it."""
        eventually(lambda: self.checkpoints(), "a checkpoint in S3")

    def checkpoints(self) -> list[str]:
        """The checkpoints in S3, by name."""
        names = {name.split("/")[1] for name in self.operator.run_files(self.run_id) if name.startswith("checkpoints/")}
        return sorted(name for name in names if name.startswith("checkpoint-"))

    def note_logs(self) -> None:
        """Remember what the machine has logged so far."""
        for name in ("bootstrap", "pipeline", "training"):
            path = self.remote_shell.path(f"{LOG_FOLDER}/{name}.log")
            if path.exists():
                self.noted[name] = path.read_text()

    def pid_in_machine(self, file: str) -> str:
        """The id, inside of the machine, of the process whose pid file is `file`."""
        return self.remote_shell.path(file).read_text().strip()

    def signal(self, number: str, *files: str) -> None:
        """Send a signal to the processes of these pid files."""
        self.remote_shell.run("kill", f"-{number}", *(self.pid_in_machine(file) for file in files))

    def wait_for_the_machines_end(self) -> None:
        """Wait until EC2 says terminated."""
        gone = lambda: self.operator.aws.state(self.instance_id) == "terminated"  # noqa: E731
        try:
            eventually(gone, f"the end of {self.instance_id}", END_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.operator.aws.console(self.instance_id)[-6000:]}") from None

    def archived(self) -> dict[str, Any]:
        """The run's final state; the lock is given back by then."""
        eventually(lambda: self.operator.state() is None, "the release of the lock", 30)
        return dict(self.operator.artifact(self.run_id, "system-state.json"))

    def wait_for_logs(self) -> None:
        """Note the logs and wait until S3 has them: of a machine that will store nothing more."""
        self.note_logs()
        eventually(lambda: not self.missing_lines(), "the logs in S3", 60)

    def missing_lines(self) -> list[str]:
        """What was noted and is not in S3."""
        stored = {name: self.operator.log(self.run_id, name) for name in self.noted}
        return [line for name, text in self.noted.items() for line in text.splitlines() if line not in stored[name]]

    def stored_logs(self) -> list[str]:
        """Which logs S3 has, not empty."""
        prefix = f"local/logs/{self.run_id}/"
        found = {key[len(prefix) :].removesuffix(".log") for key in self.operator.keys(prefix)}
        return [name for name in LOGS if name in found]

    def hang(self, *files: str) -> None:
        """Let nothing but SIGKILL reach the processes of these pid files."""
        remote_shell = self.remote_shell
        for file in files:
            outer = remote_shell.outer_pid(int(self.pid_in_machine(file)))
            words = [sys.executable, "-m", "tests.boot.hang", str(outer)]
            stopper = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert stopper.stdout is not None
            assert stopper.stdout.readline() == "held\n"
            self.stoppers.append(stopper)

    def let_go(self) -> None:
        """End what holds processes."""
        for stopper in self.stoppers:
            stopper.kill()
            stopper.wait()

    def spot_notice(self) -> None:
        """Let AWS announce that it takes the machine back in two minutes."""
        words = ("python", "-m", "local_aws", "spot-notice", self.instance_id)
        self.operator.command(*words).succeeded()

    def move_guard_up(self) -> None:
        """Let the termination schedule, as it was armed, fire now and not at its time."""
        scheduler = self.operator.aws.client("scheduler")
        name = f"chronos-training-local-{self.run_id}"
        armed = scheduler.get_schedule(Name=name, GroupName="chronos-training-local")
        target = armed["Target"]
        assert json.loads(target["Input"]) == {"InstanceIds": [self.instance_id]}
        scheduler.update_schedule(
            Name=name,
            GroupName="chronos-training-local",
            ScheduleExpression=time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 2)),
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow=armed["FlexibleTimeWindow"],
            State="ENABLED",
            Target=target,
            ActionAfterCompletion="DELETE",
        )
