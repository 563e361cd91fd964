"""What a task says on a terminal: a status that is redrawn in place, lines that stay above it, nothing that wraps."""

from __future__ import annotations

import re

import pytest

from chronos_training.ansible.progress_reporter import ProgressReporter, fill

PARTS = (
    "20261122-010022  3/5 training for 2 min 10 s", "[######..............] 369/1200", "loss 3.7013",
    "1494 samples/s", "18 s left", "$0.03 so far", "deadline in 11 h 58 min", "heartbeat 3 s ago",
)  # fmt: skip


class Terminal:
    """As much of a terminal as the reporter uses: lines, cursor up, clear to the end."""

    def __init__(self, columns: int | None) -> None:
        self.columns = columns
        self.lines: list[str] = [""]
        self.log: list[str] = []

    def write(self, text: str, *, stays: bool = True, newline: bool = True) -> None:
        if stays:
            self.log.append(text)
        for piece in re.split(r"(\x1b\[\d+A|\r|\x1b\[J|\n)", text + ("\n" if newline else "")):
            if up := re.fullmatch(r"\x1b\[(\d+)A", piece):
                self.row = len(self.lines) - 1 - int(up[1])
            elif piece == "\x1b[J":
                del self.lines[self.row :]
                self.lines.append("")
            elif piece == "\n":
                self.lines.append("")
            elif piece and piece != "\r":
                self.lines[-1] += piece

    @property
    def shown(self) -> list[str]:
        return self.lines[:-1]


def reporter(terminal: Terminal) -> ProgressReporter:
    return ProgressReporter(terminal.write, lambda: terminal.columns)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_status_is_redrawn_and_never_wraps(columns: int) -> None:
    terminal = Terminal(columns)
    emit = reporter(terminal)
    emit("lock taken")
    for _ in range(3):
        emit.show(PARTS)
    assert terminal.shown[0] == "  lock taken"
    assert all(len(line) < columns for line in terminal.shown)
    assert "  ".join(line.strip() for line in terminal.shown[1:]) == "  ".join(PARTS)
    assert len(terminal.shown) == {60: 5, 80: 4, 120: 3, 200: 2}[columns]


def test_a_line_that_stays_takes_the_place_of_the_status() -> None:
    terminal = Terminal(80)
    emit = reporter(terminal)
    emit.show(PARTS)
    emit("1/5 initialization took 6 s")
    emit.show(PARTS[:1])
    assert terminal.shown == ["  1/5 initialization took 6 s", f"  {PARTS[0]}"]
    assert emit.messages == ["1/5 initialization took 6 s"]
    assert terminal.log == ["  1/5 initialization took 6 s"]


def test_after_a_change_of_the_width_nothing_is_cleared_that_is_not_ours() -> None:
    terminal = Terminal(120)
    emit = reporter(terminal)
    emit("before")
    emit.show(PARTS)
    drawn = len(terminal.shown)
    terminal.columns = 80
    emit.show(PARTS)
    assert terminal.shown[0] == "  before"
    assert len(terminal.shown) == drawn + 3


def test_without_a_terminal_only_lines_are_written() -> None:
    terminal = Terminal(None)
    emit = reporter(terminal)
    assert not emit.live
    emit.show(PARTS)
    emit("line")
    assert terminal.shown == ["  line"]


def test_a_part_that_is_too_long_is_broken_between_words() -> None:
    lines = fill(("run", " ".join(["word"] * 40)), 79)
    assert all(len(line) <= 79 for line in lines)
    assert " ".join(" ".join(lines).split()) == "run " + " ".join(["word"] * 40)
