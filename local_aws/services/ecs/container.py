"""One container of a task: its process, from the start to the exit code."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import Any

from local_aws import processes
from local_aws.containers.command import Command, Wanted
from local_aws.containers.oci import Image, ImageError
from local_aws.home import MACHINE_VARIABLE
from local_aws.machine_process import reap, spawn
from local_aws.services.aws import Aws
from local_aws.services.ecr import images
from local_aws.services.ecs.definitions import ContainerPlan
from local_aws.services.ecs.errors import TaskFailed
from local_aws.services.ecs.logs import LogDriver

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class Container:
    """`description` is what DescribeTasks shows of it; who changes that holds AWS's lock."""

    def __init__(
        self, aws: Aws, plan: ContainerPlan, task_id: str, description: dict[str, Any], log: LogDriver
    ) -> None:
        self.plan = plan
        self.description = description
        self._aws = aws
        self._task_id = task_id
        self._mark = aws.home.machine_marker(f"ecs-{task_id}-{plan.name}.")
        self.log = log
        self._command: Command | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._signal = signal.SIGTERM
        self.started = threading.Event()
        self.ended = threading.Event()
        self.exit_code: int | None = None
        self.out_of_memory = False

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process is not None and not self.ended.is_set() else None

    def start(self, image: Image, variables: dict[str, str], memory_mib: int) -> None:
        """Start it. TaskFailed when that is not possible."""
        plan = self.plan
        environment = {
            **variables,
            **plan.environment,
            MACHINE_VARIABLE: self._mark,
        }
        wanted = Wanted(
            f"{self._task_id[:12]}-{plan.name}",
            plan.entrypoint,
            plan.command,
            environment,
            plan.working_directory,
            plan.user,
            (plan.memory_mib or memory_mib) * 1024**2,
        )
        self._signal = _signal_of(image)
        try:
            self._command = images.command(self._aws, image, wanted)
            self._process = spawn(
                self._command.argv,
                env=self._command.env,
                cwd=self._command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except (ImageError, OSError, subprocess.SubprocessError) as error:
            raise TaskFailed(f"CannotStartContainerError: {error}", plan.name) from error
        assert self._process.stdout is not None
        self.log.read(self._process.stdout)
        self.started.set()
        threading.Thread(target=self._wait, name=f"container-{plan.name}", daemon=True).start()

    def _wait(self) -> None:
        process, command = self._process, self._command
        assert process is not None and command is not None
        process.wait()
        # What it has left running ends, as with process 1 of a container.
        command.kill(process.pid)
        code = reap(process)
        processes.kill_all(lambda: processes.marked(self._mark))
        self.out_of_memory = self.out_of_memory or command.was_out_of_memory()
        command.clean()
        self.log.close()
        self.exit_code = 128 - code if code < 0 else code
        self.ended.set()

    def ask_to_end(self) -> None:
        """SIGTERM, or what the image names as STOPSIGNAL."""
        if self._process is not None and not self.ended.is_set():
            self._process.send_signal(self._signal)

    def kill(self, *, out_of_memory: bool = False) -> None:
        """SIGKILL."""
        if self._process is not None and self._command is not None and not self.ended.is_set():
            self.out_of_memory = self.out_of_memory or out_of_memory
            self._command.kill(self._process.pid)


def _signal_of(image: Image) -> signal.Signals:
    text = str(image.settings.get("StopSignal") or "SIGTERM")
    try:
        return (
            signal.Signals(int(text))
            if text.isdigit()
            else signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
        )
    except (ValueError, KeyError):
        return signal.SIGTERM
