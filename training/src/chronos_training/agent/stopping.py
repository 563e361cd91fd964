"""The watcher's request to the pipeline: one small file, written once, naming the final status and the reason."""

from __future__ import annotations

import json
from pathlib import Path

from .trainer import StopRequested

FILE_NAME = "stop.json"


def request_stop(state: Path, status: str, reason: str, until: float | None = None) -> bool:
    """Ask the pipeline to stop. The first request stays; returns whether this was it.

    `until` is the monotonic time at which the machine is gone, where that is known.
    """
    path = state / FILE_NAME
    if path.exists():
        return False
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps({"status": status, "reason": reason, "until": until}))
    partial.rename(path)
    return True


def read_stop_request(state: Path) -> StopRequested | None:
    """Return the request as the exception that ends the steps, or None."""
    try:
        asked = json.loads((state / FILE_NAME).read_text())
    except FileNotFoundError:
        return None
    return StopRequested(asked["status"], asked["reason"], asked["until"])
