"""What functions print becomes events in CloudWatch Logs, put there with the function's own role, as on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid

from local_aws.services.aws import Aws
from local_aws.services.awslambda.roles import session_for_lambda
from local_aws.services.batches import Batches
from local_aws.services.logs.writing import write

# AWS's runtimes frame a record of the logger, so that a trace is one event (awslambdaric, FramedTelemetryLogSink):
# type, length, microseconds, message. What is printed comes as it is, through the same pipe, a line an event.
_FRAME = b"\xa5\x5a\x00"
_HEAD = 16
_LONGEST = 200_000  # characters of one event; CloudWatch takes 256 KiB
_TAIL = 4096  # bytes that LogType=Tail returns


class Splitter:
    """Cuts the bytes of a pipe into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the messages that are complete now."""
        self._rest += data
        found: list[bytes] = []
        while self._rest:
            at = self._rest.find(_FRAME)
            plain = self._rest if at < 0 else self._rest[:at]
            end = plain.rfind(b"\n") + 1
            found += plain[:end].splitlines(keepends=True)
            if at < 0:
                self._rest = plain[end:]
                break
            if end < at:  # printed without the end of a line, and then a record was logged
                found.append(plain[end:])
            framed = self._rest[at:]
            length = int.from_bytes(framed[4:8], "big")
            if len(framed) < _HEAD + length:
                self._rest = framed
                break
            found.append(framed[_HEAD : _HEAD + length])
            self._rest = framed[_HEAD + length :]
        return [part.decode(errors="replace")[:_LONGEST] for part in found]

    def rest(self) -> list[str]:
        """Return what is left without the end of a line."""
        left, self._rest = self._rest, b""
        return [left.decode(errors="replace")] if left and not left.startswith(_FRAME) else []


class LogStream:
    """The stream of one environment, and what it says of the invocation under way."""

    def __init__(self, logs: Logs, group: str, role: str, function_arn: str, version: str, pipe: int) -> None:
        today = logs.aws.clock.utcnow()
        self.name = f"{today:%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"
        self.group = group
        self.role = role
        self.function_arn = function_arn
        self.region = function_arn.split(":")[3]
        self._logs = logs
        self._pipe = pipe
        self._splitter = Splitter()
        self._tail: list[str] = []
        self._lock = threading.Lock()
        os.set_blocking(pipe, False)

    def say(self, *messages: str) -> None:
        """Add events of the platform: START, END, REPORT."""
        with self._lock:
            self._add([f"{message}\n" for message in messages])

    def drain(self) -> bool:
        """Take what the process has written so far. False when nothing will come any more."""
        with self._lock:
            while True:
                try:
                    data = os.read(self._pipe, 1 << 16)
                except BlockingIOError:
                    return True
                except OSError:
                    return False
                if not data:
                    self._add(self._splitter.rest())
                    return False
                self._add(self._splitter.feed(data))

    def close(self) -> None:
        """Close the pipe."""
        with self._lock, contextlib.suppress(OSError):
            os.close(self._pipe)
            self._pipe = -1

    def begin_tail(self) -> None:
        """An invocation begins."""
        self._tail = []

    def tail(self) -> bytes:
        """The last 4 KB of the invocation's log."""
        return "".join(self._tail).encode()[-_TAIL:]

    def _add(self, messages: list[str]) -> None:
        if not messages:
            return
        self._tail += messages
        if len(self._tail) > 2000:
            self._tail = self._tail[-1000:]
        self._logs.put(self, messages)


class Logs:
    """Delivers what the streams have."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self._batches: Batches[LogStream, tuple[float, str]] = Batches(aws, "logs of functions", self._write)

    def put(self, stream: LogStream, messages: list[str]) -> None:
        """Deliver these soon."""
        now = self.aws.clock.now()
        self._batches.add(stream, [(now, message) for message in messages if message.strip()])

    def _write(self, stream: LogStream, events: list[tuple[float, str]]) -> None:
        # As on AWS: a role without logs:PutLogEvents has no logs, and nobody is told.
        credentials = session_for_lambda(self.aws, stream.role, stream.function_arn)
        if credentials:
            write(self.aws, stream.group, stream.name, events, credentials, region=stream.region)
