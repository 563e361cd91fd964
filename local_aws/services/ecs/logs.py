"""The log driver awslogs: what a container prints becomes events, put there with the execution role.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import IO

from local_aws.services.aws import Aws
from local_aws.services.ecs.errors import TaskFailed
from local_aws.services.logs.writing import write

_PAUSE = 0.2  # seconds between two deliveries
_MOST = 1000  # events in one
_LONGEST = 16 * 1024  # bytes of one event: docker splits longer lines


class LogDriver:
    """One container's output. Nothing is lost at its end: `close()` returns when all of it is delivered."""

    def __init__(
        self, aws: Aws, options: dict[str, str], container: str, task_id: str, credentials: Callable[[], dict[str, str]]
    ) -> None:
        self._aws = aws
        self._options = options
        self._credentials = credentials
        self.stream = f"{options['awslogs-stream-prefix']}/{container}/{task_id}" if options else ""
        self._pending: list[tuple[float, str]] = []
        self._filled = threading.Condition()
        self._ended = False
        self._threads: list[threading.Thread] = []

    def open(self) -> str:
        """Make the stream; return why that cannot be, or nothing."""
        return self._write([]) if self._options else ""

    def read(self, output: IO[bytes]) -> None:
        """Take what the container prints, until its end."""
        for run in (lambda: self._read(output), self._deliver):
            thread = threading.Thread(target=run, name=f"logs-{self.stream}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Wait until everything is delivered."""
        for thread in self._threads:
            thread.join(timeout=30)

    def _read(self, output: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := output.readline(_LONGEST):
                event = (self._aws.clock.now(), line.decode(errors="replace").rstrip("\r\n"))
                with self._filled:
                    if self._options:
                        self._pending.append(event)
        with self._filled:
            self._ended = True
            self._filled.notify_all()

    def _deliver(self) -> None:
        while True:
            with self._filled:
                self._filled.wait_for(lambda: self._ended, timeout=_PAUSE)
                batch, self._pending = self._pending[:_MOST], self._pending[_MOST:]
                over = self._ended and not self._pending
            if batch:
                self._write(batch)
            if over:
                return

    def _write(self, batch: list[tuple[float, str]]) -> str:
        make = self._options.get("awslogs-create-group", "") == "true"
        group, region = self._options["awslogs-group"], self._options["awslogs-region"]
        try:
            credentials = self._credentials()
        except TaskFailed as error:  # the role was changed meanwhile
            return str(error)
        return write(self._aws, group, self.stream, batch, credentials, make_group=make, region=region)
