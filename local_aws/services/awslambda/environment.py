"""An execution environment: one process that runs one version of a function, one invocation after the other.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws import processes
from local_aws.containers.command import Command
from local_aws.home import MACHINE_VARIABLE
from local_aws.machine_process import reap, spawn
from local_aws.services.aws import Aws
from local_aws.services.awslambda.functions import Function
from local_aws.services.awslambda.logs import Logs, LogStream
from local_aws.services.awslambda.reports import Outcome, Reports
from local_aws.services.awslambda.roles import end_soon, keys_for_environment
from local_aws.services.awslambda.runtime_api import ACCEPTED, Request, RuntimeApi, RuntimeGone, TooLate

INIT_SECONDS = (
    10.0  # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
)
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_RESPONSE = 6_291_556
MARK = "lambda-"  # the beginning of the marks of all environments' processes
# Makes the command, given Lambda's variables and the descriptor of the pipe for logs.
CommandOf = Callable[[dict[str, str], int], Command]


@dataclass(frozen=True)
class Result:
    """How an invocation ended."""

    request_id: str
    payload: bytes
    error: str = ""  # Unhandled, or empty
    tail: bytes = b""
    version: str = ""
    duration: float = 0.0  # milliseconds


@dataclass
class Invocation:
    """One event for a function."""

    request_id: str
    invoked_arn: str
    payload: bytes
    client_context: str = ""
    trace_id: str = ""


class Environment:
    """Held by one thread at a time, which invokes (see pools.py)."""

    def __init__(
        self, aws: Aws, function: Function, command_of: CommandOf, logs: Logs, own: Path, idle_seconds: float
    ) -> None:
        self.function = function
        self.idle_since = 0.0
        self._keys = keys_for_environment(aws, function.role, function.arn, idle_seconds)
        self._aws = aws
        self._own = own
        self._api = RuntimeApi()
        self._warm = False
        self._first: Request | Exception = RuntimeGone()
        self._init = 0.0  # seconds that its initialization took
        self._ended = threading.Event()
        self._over = False  # used more memory than it has
        self._marker = aws.home.machine_marker(f"{MARK}{function.name}-{uuid.uuid4().hex[:8]}")
        reading, writing = os.pipe()
        self.log = LogStream(logs, function.log_group, function.role, function.arn, function.version, reading)
        self._reports = Reports(function, self.log)
        own.mkdir(parents=True, exist_ok=True)
        try:
            variables = {**aws.environment(self._keys, function.region), **self._variables()}
            self._command = command_of(variables, writing)
            self._began = time.monotonic()
            self._reports.init_start()
            self._process = spawn(
                self._command.argv,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=self._command.cwd,
                env=self._command.env,
                pass_fds=[writing],
            )
        except BaseException:
            self.log.close()
            self._api.close()
            raise
        finally:
            os.close(writing)
        threading.Thread(target=self._read, args=[reading], name=f"lambda-{function.name}", daemon=True).start()

    def _variables(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime."""
        function = self.function
        return {
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            **({"_HANDLER": function.handler} if function.handler else {}),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log.name,
            "AWS_LAMBDA_LOG_FORMAT": function.log_format,
            **({"AWS_LAMBDA_LOG_LEVEL": function.log_level} if function.log_level else {}),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            MACHINE_VARIABLE: self._marker,
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    def usable(self) -> bool:
        """Whether the next invocation may be given to it."""
        return not self._ended.is_set() and not end_soon(self._aws, self._keys)

    def invoke(self, invocation: Invocation) -> Result:
        """Run one invocation and wait for its end. Afterwards `usable` tells whether there can be another.

        RuntimeGone when a warm environment has ended before it was asked.
        """
        cold, self._warm = not self._warm, True
        request_id = invocation.request_id
        self.log.begin_tail()
        outcome = Outcome()
        try:
            request = self._initialized(outcome) if cold else self._wait_for_next()
            self._start(outcome, request_id)
            if not outcome.payload:
                self._run(request, invocation, outcome)
        except TooLate:
            self._start(outcome, request_id)
            self._fail_late(outcome, request_id)
        except RuntimeGone:
            if not cold and not outcome.started:
                raise
            self._start(outcome, request_id)
            self._fail_gone(outcome, request_id)
        self.log.drain()
        duration = max(0.0, (outcome.ended or time.monotonic()) - self._began) * 1000
        self._reports.report(request_id, outcome, duration, self.peak)
        return Result(request_id, outcome.payload, outcome.error, self.log.tail(), self.function.version, duration)

    def _start(self, outcome: Outcome, request_id: str) -> None:
        if outcome.started:
            return
        outcome.started = True
        self.log.drain()  # what was printed while it was loaded comes before
        if not outcome.error:
            self.log.begin_tail()
        self._reports.start(request_id)

    def initialize(self) -> None:
        """Wait until the runtime asks for its first invocation. What becomes of that is seen when it is invoked."""
        # Code outside of the handler that takes longer is started again by AWS, within the function's timeout. It is the
        # same work: here it goes on.
        limit = INIT_SECONDS + self.function.timeout
        began = time.monotonic()
        try:
            self._first = self._api.receive(began + limit, self._ended.is_set)
        except (TooLate, RuntimeGone) as error:
            self._first = error
        self._init = time.monotonic() - began

    def _initialized(self, outcome: Outcome) -> Request:
        """Return the runtime's first request, which is that for an invocation or the error of its initialization."""
        took, first = self._init, self._first
        self._began = time.monotonic()
        if took > INIT_SECONDS:
            self._reports.init_report(INIT_SECONDS, "timeout")
            self._began -= took - INIT_SECONDS  # what is over counts as the function's own time
        if not isinstance(first, Request):
            raise first
        outcome.init = min(took, INIT_SECONDS)
        if first.path == "init/error":
            outcome.payload, outcome.error = first.body, "Unhandled"
            outcome.kind = _kind_of(first.body)
            self.log.drain()
            self._reports.init_report(took, "error", outcome.kind)
            first.answer(202, ACCEPTED)
            self.end()
        return first

    def _wait_for_next(self) -> Request:
        self._began = time.monotonic()
        return self._api.receive(time.monotonic() + self.function.timeout, self._ended.is_set)

    def _run(self, request: Request, invocation: Invocation, outcome: Outcome) -> None:
        deadline = self._began + self.function.timeout
        left = deadline - time.monotonic()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + left) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            **({"Lambda-Runtime-Client-Context": invocation.client_context} if invocation.client_context else {}),
        }
        request.answer(200, invocation.payload or b"{}", headers)
        answer = self._api.receive(deadline, self._ended.is_set)
        outcome.ended = time.monotonic()
        outcome.payload = answer.body
        if answer.path.endswith("/error"):
            outcome.error = "Unhandled"
            outcome.kind = _kind_of(answer.body)
        elif len(answer.body) > MOST_RESPONSE:
            outcome.fail(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({MOST_RESPONSE} bytes).",
            )
        self.measure()
        if self._over:  # it had grown, and gave back, between two looks
            self.end()
            raise RuntimeGone
        answer.answer(202, ACCEPTED)

    def _fail_late(self, outcome: Outcome, request_id: str) -> None:
        outcome.ended = self._began + self.function.timeout
        self.end()
        said = f"Task timed out after {self.function.timeout:.2f} seconds"
        outcome.fail("Sandbox.Timedout", f"RequestId: {request_id} Error: {said}", "timeout")
        self.log.drain()
        self._reports.timed_out(request_id, said)

    def _fail_gone(self, outcome: Outcome, request_id: str) -> None:
        code = self.end()
        kind = "Runtime.ExitError"
        if self._over or self._command.was_out_of_memory():
            kind, why = "Runtime.OutOfMemory", "signal: killed"
        elif code < 0:
            why = f"signal: {_signal_name(-code)}"
        else:
            why = f"exit status {code}"
        said = (
            f"Error: Runtime exited with error: {why}" if code else "Error: Runtime exited without providing a reason"
        )
        outcome.fail(kind, f"RequestId: {request_id} {said}", "error")
        self.log.drain()
        self._reports.exited(request_id, said, kind)

    # Memory.

    peak = 0  # MiB

    def measure(self) -> None:
        """Look how much memory the process has had at most; end it when that is more than the function has."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            self.peak = max(self.peak, int(status.split("VmHWM:")[1].split()[0]) // 1024)
        if self.peak > self.function.memory and not self._over and self._process.poll() is None:
            self._over = True
            self._command.kill(self._process.pid)

    # The end.

    def end(self) -> int:
        """End the process and everything that it started; return its exit code. Safe to call at any time."""
        if self._process.poll() is None:  # else its number may be somebody else's
            self._command.kill(self._process.pid)
        code = reap(self._process)
        self._ended.set()
        self._api.close()
        return code

    def clean_up(self, *, marked: bool = True) -> None:
        """Remove what is left of it, in a while that nobody waits for; `marked`: also processes that left its group."""
        self.end()
        if marked:
            processes.kill_all(lambda: processes.marked(self._marker))
        self._command.clean()
        shutil.rmtree(self._own, ignore_errors=True)

    def _read(self, pipe: int) -> None:
        """Keep the pipe from filling up, and notice the end of the process."""
        while True:
            select.select([pipe], [], [], 0.5)
            going_on = self.log.drain()
            if not going_on or self._process.poll() is not None:
                break
        self._process.wait()
        self.log.drain()
        self._ended.set()
        self.log.close()


def _kind_of(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        said: Any = json.loads(body)
        return str(said.get("errorType") or "Error")
    return "Error"


def _signal_name(number: int) -> str:
    """As Go's runtime, in which Lambda is written, calls it."""
    return {9: "killed", 11: "segmentation fault", 6: "aborted", 15: "terminated"}.get(number, f"signal {number}")
