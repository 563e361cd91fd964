"""Looks at a dataset without writing anything: what it holds, what was found in it, and how that would be handled."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from chronos_training.data.formats import Format
from chronos_training.data.grid import step_of
from chronos_training.data.rules import Rules
from chronos_training.data.summary import examine

_UNITS = {"s": "second", "min": "minute", "h": "hour", "D": "day"}
_WORDS = {
    "B": "business days", "W": "every week", "MS": "start of each month", "ME": "end of each month",
    "QS": "start of each quarter", "QE": "end of each quarter", "YS": "start of each year", "YE": "end of each year",
}  # fmt: skip


def validate(
    source: str, targets: Sequence[str] = ("target",), rules: Rules | None = None, form: Format | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the panel of `source` holds, with the manifest's keys, and its findings. Nothing is written.

    Raises DataError with every problem for which `prepare` would refuse it, ConfigurationError for bad targets.
    """
    panel, about = examine(source, targets, rules, form)
    return about, panel.findings


def render(summary: dict[str, Any], findings: Sequence[dict[str, Any]]) -> str:
    """Return both results of `validate` as text for a terminal, without a newline at its end."""
    freq = summary["freq"]
    lengths = f"{summary['shortest_series']:,} to {summary['longest_series']:,} rows each"
    if summary["shortest_series"] == summary["longest_series"]:
        lengths = f"{summary['longest_series']:,} rows each"
    facts = {
        "series": f"{summary['items']:,}, {lengths}",
        "rows": f"{summary['rows']:,}",
        "frequency": f"{freq} ({_words(freq, summary['start'])})",
        "range": f"{_date(summary['start'])} to {_date(summary['end'])}",
        "target": ", ".join(summary["target_columns"]),
        "covariates": ", ".join(summary["covariates"]) or "none",
        "licence": summary["licence"],
    }
    lines = [summary["source"], *(f"  {name:<12}{text}" for name, text in facts.items()), ""]
    if min(summary["lowest"].values()) >= 0:
        lines += ["  No target is below 0: forecast.minimum: 0 keeps forecast quantiles at 0 or above.", ""]
    # What was done while reading; each finding below has a note of its own, too.
    for note in summary["notes"][: len(summary["notes"]) - len(findings)]:
        lines += [*textwrap.wrap(note, 100, initial_indent="  ", subsequent_indent="  "), ""]
    if not findings:
        return "\n".join([*lines, "  Nothing to report: every series is complete and in order."])
    head = ("found", "series", "rows", "in", "handled")
    table = [
        (f["check"], f"{f['items']:,}", f"{f['rows']:,}", _items(f["first"], f["items"]), f["handled"])
        for f in findings
    ]
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    for row in [head, *table]:
        cells = [text.rjust(widths[i]) if i in (1, 2) else text.ljust(widths[i]) for i, text in enumerate(row)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _words(freq: str, start: str) -> str:
    """Return a frequency in words; values of another day than the first have a frequency of the first."""
    if step_of(freq) is not None:
        unit = freq.lstrip("0123456789")
        count = freq.removesuffix(unit)
        return f"every {count} {_UNITS[unit]}s" if count else f"every {_UNITS[unit]}"
    words, day = _WORDS.get(freq.split("-")[0], freq), int(start[8:10])
    return words.replace("start", f"day {day}") if words.startswith("start") and day > 1 else words


def _date(stamp: str) -> str:
    return stamp.removesuffix("T00:00:00").replace("T", " ")


def _items(first: Sequence[str], count: int) -> str:
    names = [name if len(name) <= 16 else name[:15] + "…" for name in first[:3]]
    return ", ".join(names) + (", …" if count > len(names) else "")
