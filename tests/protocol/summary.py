"""What the protocol's tests explored: one line each, printed under `protocol` at the end of the pytest run."""

from __future__ import annotations

LINES: list[str] = []


def say(line: str) -> None:
    """Keep `line` for the end of the run. Works in a worker of pytest-xdist too (see `conftest.py`)."""
    LINES.append(line)
