"""A wait for the end of an instance, shown: a line that is redrawn on a terminal, elsewhere one each minute."""

from __future__ import annotations

from collections.abc import Callable

from chronos_training.ansible.progress_reporter import ProgressReporter
from chronos_training.core.clock import duration

Emit = Callable[[str], None]
ACCEPTED = "EC2 has accepted its termination, and AWS no longer bills it"
NOTE = "a GPU instance takes 5 to 8 minutes, which AWS does not bill"
# What is over sooner need not be told of.
FIRST_SECONDS = 5.0
AGAIN_SECONDS = 60.0


class Waiting:
    """Called at each look with what is waited for and the seconds so far (`instances.Show`)."""

    def __init__(self, emit: Emit, note: str = f"; {NOTE}") -> None:
        """`emit` is a ProgressReporter, or whatever takes lines; `note` ends each line."""
        self._emit, self._note = emit, note
        self._screen = emit if isinstance(emit, ProgressReporter) and emit.live else None
        self._due = FIRST_SECONDS

    def __call__(self, what: str, waited: float) -> None:
        """Show it, unless it is too early or was said a moment ago."""
        line = f"{what}, for {duration(waited)} so far{self._note}"
        if self._screen is not None:
            if waited >= FIRST_SECONDS:
                self._screen.show([line])
        elif waited >= self._due:
            self._emit(line)
            self._due = waited + AGAIN_SECONDS
