"""A polite end: SIGTERM lets the current step finish and its checkpoint be saved."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Stopped(Exception):
    """The process was asked to end and everything worth keeping is on disk."""


class Interrupted(BaseException):
    """Leaves a library's loop. Not an Exception: AutoGluon takes those for one model's failure, and continues."""


class StopRequest:
    """Set by SIGTERM. The training loop asks `requested` after each step; the other phases call `check` between parts."""

    def __init__(self) -> None:
        self.requested = False
        self._interrupts = False

    def install(self) -> None:
        """Handle SIGTERM from now on (main thread only)."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.interrupt()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise Interrupted out of the block as soon as the end is asked for: for a library that never asks `requested`."""
        self._interrupts = True
        try:
            self.interrupt()
            yield
        finally:
            self._interrupts = False

    def interrupt(self) -> None:
        """Raise Interrupted when the end was asked for, and the caller is inside of such a block."""
        if self.requested and self._interrupts:
            raise Interrupted

    def check(self) -> None:
        """Raise Stopped when the end was asked for."""
        if self.requested:
            raise Stopped
