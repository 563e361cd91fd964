"""Runs the training program as a process of its own, watches it, and ends it: politely first, then surely."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.core.errors import TrainingError
from chronos_training.core.live_progress import LiveProgress

POLL_SECONDS = 0.5
READY_POLL_SECONDS = 0.1
ERROR_PREFIX = "ERROR: "
LEAST_GRACE_SECONDS = 5.0
# The end of a log is where the reason stands; some logs are too long to be read whole.
TAIL_BYTES = 1 << 20


class TrainingFailed(TrainingError):
    """The training program ended on its own without success."""

    code = "training_failed"


class StopRequested(TrainingError):
    """The training was ended because the run has to end. `status` is the run's final status."""

    code = "run_stopped"

    def __init__(self, status: str, reason: str, until: float | None = None) -> None:
        """`reason` is one sentence for the state file; `until` the monotonic time at which the machine is gone."""
        self.status, self.until = status, until
        super().__init__(reason)


class Trainer:
    """The training program as a process: started early to load its libraries, told to go when its data is there."""

    def __init__(self, command: list[str], variables: dict[str, str], log: Path, pid_file: Path) -> None:
        """Start `command`; its output goes to `log`, its process id to `pid_file`."""
        self._log, self._pid_file, self._ended = log, pid_file, False
        self._ended_for_memory = _ended_for_memory()
        with log.open("ab") as output:
            # A session of its own, so that a signal reaches its workers too.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables},
                start_new_session=True,
            )
        pid_file.write_text(str(self._process.pid))

    def wait_ready(self, file: Path, seconds: float, should_stop: Callable[[], StopRequested | None]) -> dict[str, Any]:
        """Return what the program wrote to `file` when its libraries were loaded.

        Raises TrainingFailed with its own last words when it ends before or is not ready after `seconds`, or the
        StopRequested that `should_stop` gave.
        """
        deadline = time.monotonic() + seconds
        while not file.exists():
            stopped = should_stop()
            if stopped is not None:
                raise stopped
            if self._process.poll() is not None:
                raise TrainingFailed(self._reason())
            if time.monotonic() > deadline:
                raise TrainingFailed(f"its libraries were not loaded within {seconds:.0f} s")
            time.sleep(READY_POLL_SECONDS)
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def run(
        self,
        progress_file: Path,
        on_progress: Callable[[LiveProgress], None],
        should_stop: Callable[[], StopRequested | None],
        stop_grace: float,
        go: str = "go",
    ) -> None:
        """Tell the program to go, with the line `go`, and wait until it ends.

        Raises TrainingFailed with its own last `ERROR:` sentence, or the StopRequested that `should_stop` gave, after the
        program had `stop_grace` seconds to save a checkpoint.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its exit code tells
            self._process.stdin.write(f"{go}\n".encode())
            self._process.stdin.flush()
        try:
            while self._process.poll() is None:
                stopped = should_stop()
                if stopped is not None:
                    end_group(self._process.pid, _grace(stopped, stop_grace), lambda: self._process.poll() is not None)
                    self._process.wait()
                    raise stopped
                _read_progress(progress_file, on_progress)
                time.sleep(POLL_SECONDS)
        finally:
            self.end()
        _read_progress(progress_file, on_progress)
        if self._process.returncode != 0:
            raise TrainingFailed(f"Training failed: {self._reason()}")

    def _reason(self) -> str:
        """Return the program's own last `ERROR:` sentence, or how it ended."""
        code = self._process.returncode
        said = _last_error(self._log)
        if said:
            return said
        how = f"it was killed by signal {-code}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            before, now = self._ended_for_memory, _ended_for_memory()
            if now is None or before is None:
                how += ", as the kernel does when memory runs out"
            elif now > before:
                how += ": the kernel killed it or another program because memory ran out"
            else:
                how += ", but not because memory ran out, which the kernel would have counted"
        return f"{how}; see training.log."

    def end(self) -> None:
        """End whatever is left of the program; nothing to do after an orderly end."""
        if self._ended:  # its number may belong to another program by now
            return
        self._ended = True
        end_group(self._process.pid, 0, lambda: self._process.poll() is not None)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._pid_file.unlink(missing_ok=True)


def _grace(stopped: StopRequested, most: float) -> float:
    """Return how long the program may take to save a checkpoint: half of what is left, the other half stores it."""
    if stopped.until is None:
        return most
    return min(most, max(LEAST_GRACE_SECONDS, (stopped.until - time.monotonic()) / 2))


def end_group(pid: int, grace: float, is_dead: Callable[[], bool]) -> None:
    """End the process group of `pid`: TERM, up to `grace` seconds, then KILL for whatever is left of it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if grace > 0:
            os.killpg(pid, signal.SIGTERM)
            deadline = time.monotonic() + grace
            while not is_dead() and time.monotonic() < deadline:
                time.sleep(0.1)
        os.killpg(pid, signal.SIGKILL)


def _read_progress(path: Path, on_progress: Callable[[LiveProgress], None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        on_progress(LiveProgress.from_json(json.loads(path.read_text(encoding="utf-8"))))


def _last_error(log: Path) -> str:
    """Return the last `ERROR:` sentence in the end of `log`, empty when there is none."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    return next((line[len(ERROR_PREFIX) :] for line in reversed(lines) if line.startswith(ERROR_PREFIX)), "")


def _ended_for_memory() -> int | None:
    """Return how many processes the kernel has ended for lack of memory since the boot, None where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
