"""The pipeline's heartbeat for the watcher: the monotonic time of its last beat, in a file.

Not the file's own time: a clock that is set right in the middle of a run would make a living pipeline look hours old.
"""

from __future__ import annotations

import time
from pathlib import Path

FILE_NAME = "heartbeat"


def beat(state: Path) -> None:
    """Note that the pipeline lives. A disk that is full is no reason to end it."""
    partial = state / f"{FILE_NAME}.tmp"
    try:
        partial.write_text(str(time.monotonic()))
        partial.replace(state / FILE_NAME)
    except OSError:
        pass


def age(state: Path) -> float | None:
    """Return the seconds since the last beat, None when there was none."""
    try:
        return time.monotonic() - float((state / FILE_NAME).read_text())
    except (FileNotFoundError, ValueError):
        return None
