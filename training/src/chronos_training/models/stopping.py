"""A polite end: SIGTERM lets the current step finish and its checkpoint be saved."""

from __future__ import annotations

import signal
from types import FrameType


class Stopped(Exception):
    """The process was asked to end and everything worth keeping is on disk."""


class StopRequest:
    """Set by SIGTERM. The training loop asks `requested` after each step; the other phases call `check` between parts."""

    def __init__(self) -> None:
        self.requested = False

    def install(self) -> None:
        """Handle SIGTERM from now on (main thread only)."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True

    def check(self) -> None:
        """Raise Stopped when the end was asked for."""
        if self.requested:
            raise Stopped
