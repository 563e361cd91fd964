"""How long before the run's limit the training must stop, so that its last checkpoint still reaches S3."""

from __future__ import annotations

import time
from pathlib import Path

FILE_NAME = "margin"
# Not measured yet: a tenth of the run, at most five minutes.
SHARE, MAX_SECONDS = 0.1, 300.0
# Measured: a step to finish and a checkpoint to store, twice over, and the records. At most a quarter of the run.
FACTOR, FIXED_SECONDS, LARGEST_SHARE = 2.0, 20.0, 0.25


class CheckpointHeadroom:
    """Measures steps and uploads in the pipeline, and leaves the sum for the watcher."""

    def __init__(self, state: Path) -> None:
        """`state` is the instance's state folder."""
        self._path = state / FILE_NAME
        self._last: tuple[int, float] | None = None
        self._written: float | None = None

    def note(self, step: int | None, upload_seconds: float | None) -> None:
        """Note the training's present step; `upload_seconds` is what the last checkpoint took to store."""
        now = time.monotonic()
        if step is None or (self._last is not None and step <= self._last[0]):
            return
        last, self._last = self._last, (step, now)
        if last is None or upload_seconds is None:
            return
        step_seconds = (now - last[1]) / (step - last[0])
        needed = FIXED_SECONDS + FACTOR * (step_seconds + upload_seconds)
        # Written when it has changed by more than a tenth: this is called twice a second.
        if self._written is None or abs(needed - self._written) > 0.1 * self._written:
            try:
                self._path.write_text(str(needed))
                self._written = needed
            except OSError:
                pass


def headroom_seconds(state: Path, deadline: float) -> float:
    """Return the margin of a run that may last `deadline` seconds."""
    try:
        return min(float((state / FILE_NAME).read_text()), LARGEST_SHARE * deadline)
    except (FileNotFoundError, ValueError):
        return min(MAX_SECONDS, SHARE * deadline)
