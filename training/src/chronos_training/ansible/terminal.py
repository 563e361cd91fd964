"""The terminal of ansible-playbook, as its tasks know it: each is a process of its own that has let go of it."""

from __future__ import annotations

import os
import sys

# A copy that the tasks' processes inherit; theirs of standard output leads nowhere. None: no terminal.
_descriptor: int | None = None


def remember() -> None:
    """Keep hold of standard output if it is a terminal on which a line can be redrawn. For the main process, once."""
    global _descriptor
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        _descriptor = os.dup(sys.stdout.fileno())


def width() -> int | None:
    """Return the columns that the terminal has now, None when the output is no terminal."""
    if _descriptor is None:
        return None
    try:
        return os.get_terminal_size(_descriptor).columns or None
    except OSError:  # it was closed
        return None
