"""What a task reports while it works: lines that stay, and on a terminal a status that is redrawn where it stands.

Not with `rich.live`, which draws from the process that owns the terminal: a task's process has let go of it, and hands each
line to Ansible's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Protocol

INDENT = "  "
HANGING = "  "


class Write(Protocol):
    """Puts text on the screen."""

    def __call__(self, text: str, *, stays: bool = True, newline: bool = True) -> None:
        """Write `text`; `stays` is False for what will be drawn over."""


class ProgressReporter:
    """Called with a line, it emits it for good. `messages` are the lines that were emitted so."""

    def __init__(self, write: Write, width: Callable[[], int | None]) -> None:
        """`write` puts text on the screen; `width()` returns the columns of the terminal, None without one."""
        self.messages: list[str] = []
        self._write, self._width = write, width
        self._drawn: tuple[int, int] | None = None  # lines of the status just above the cursor, drawn at which width

    def __call__(self, line: str) -> None:
        """Emit a line that stays; a status makes room for it."""
        self.messages.append(line)
        above = self._above(self._width() or 0)
        self._drawn = None
        if above:
            self._write(above, stays=False, newline=False)
        self._write(f"{INDENT}{line}")

    @property
    def live(self) -> bool:
        """Return whether a status can be redrawn."""
        return self._width() is not None

    def show(self, parts: Sequence[str]) -> None:
        """Draw the status over the one before. Nothing without a terminal. A part stays whole if it fits on a line."""
        width = self._width()
        if width is None:
            return
        # The last column stays empty: some terminals begin a new line when it is written to.
        lines = [f"{INDENT}{line}" for line in fill(parts, width - len(INDENT) - 1)]
        above = self._above(width)
        self._drawn = (len(lines), width)
        self._write(above + "\n".join(lines), stays=False)

    def _above(self, width: int) -> str:
        """Return what takes the cursor to the begin of the status and clears it."""
        # Another width has wrapped the lines differently, and nobody knows where the status begins: it stays.
        if self._drawn is None or self._drawn[1] != width:
            return ""
        return f"\x1b[{self._drawn[0]}A\r\x1b[J"


def fill(parts: Sequence[str], width: int) -> list[str]:
    """Return `parts`, two spaces apart, as lines of at most `width` characters; all but the first are indented."""
    lines: list[str] = []
    for part in parts:
        room = width - len(lines[-1]) - 2 if lines else width
        if lines and len(part) <= room:
            lines[-1] += f"  {part}"
        elif not lines:
            lines += textwrap.wrap(part, max(width, 20), subsequent_indent=HANGING) or [""]
        else:
            lines += textwrap.wrap(part, max(width, 40), initial_indent=HANGING, subsequent_indent=HANGING)
    return lines
