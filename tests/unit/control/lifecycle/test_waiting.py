"""What a person sees of a wait for an instance's end: nothing of a short one, then what it is for and for how long."""

from __future__ import annotations

from typing import Any

from chronos_training.ansible.progress_reporter import ProgressReporter
from chronos_training.control.lifecycle.waiting import Waiting


def test_without_a_terminal_a_line_now_and_then() -> None:
    lines: list[str] = []
    show = Waiting(lines.append)
    for seconds in (0.0, 2.0, 4.0, 6.0, 8.0, 64.0, 66.0, 124.0, 126.0):
        show("waiting for EC2 to end i-1 (shutting-down)", seconds)
    assert [line.split(", for ")[1] for line in lines] == [
        f"{so_far} so far; a GPU instance takes 5 to 8 minutes, which AWS does not bill"
        for so_far in ("6 s", "1 min 06 s", "2 min 06 s")
    ]


def test_on_a_terminal_one_line_that_is_redrawn() -> None:
    written: list[tuple[str, bool]] = []

    def write(text: str, *, stays: bool = True, newline: bool = True) -> None:
        written.append((text, stays))

    reporter: Any = ProgressReporter(write, lambda: 200)
    show = Waiting(reporter, note="")
    for seconds in (1.0, 6.0, 8.0):
        show("waiting for i-1", seconds)
    assert [text.removeprefix("\x1b[1A\r\x1b[J").strip() for text, _ in written] == [
        "waiting for i-1, for 6 s so far",
        "waiting for i-1, for 8 s so far",
    ]
    assert not any(stays for _, stays in written) and reporter.messages == []
