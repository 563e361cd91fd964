"""Rows with seconds, what they are compared with, and whether the target is met; as a table for terminal and docs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass
class Row:
    """One thing that was measured: `seconds` has one value for each round; `target` is about `ratio`, if there is one."""

    name: str
    seconds: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        return f"{min(self.seconds):.2f} … {max(self.seconds):.2f}" if len(self.seconds) > 1 else ""


@dataclass
class Target:
    """A promise, as a ratio or as seconds. `most`: not more than that; else not less."""

    text: str
    value: float
    limit: float
    most: bool = True
    unit: str = "×"

    @property
    def met(self) -> bool:
        return self.value <= self.limit if self.most else self.value >= self.limit

    def line(self) -> str:
        word = "at most" if self.most else "at least"
        verdict = "met" if self.met else "MISSED"
        return f"{self.text}: {self.value:.2f} {self.unit} ({word} {self.limit:g} {self.unit}): {verdict}"


@dataclass
class Section:
    """One part of the report."""

    title: str
    about: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    unit: str = "seconds"

    def markdown(self) -> str:
        lines = [
            f"## {self.title}",
            "",
            self.about,
            "",
            f"| | {self.unit} (median) | from … to | |",
            "|---|---|---|---|",
        ]
        lines += [f"| {row.name} | {row.median:.2f} | {row.spread} | {row.note} |" for row in self.rows]
        lines += ["", *(f"- {target.line()}" for target in self.targets)]
        return "\n".join(lines) + "\n"

    def terminal(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines, short = [self.title], "s" if self.unit == "seconds" else self.unit
        lines += [
            f"  {row.name:<{width}}  {row.median:8.2f} {short}  {row.spread:<17} {row.note}".rstrip()
            for row in self.rows
        ]
        lines += [f"  {target.line()}" for target in self.targets]
        return "\n".join(lines) + "\n"
