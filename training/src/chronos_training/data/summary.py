"""From a source to a checked panel, and what that holds in the words of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chronos_training.core.errors import DataError
from chronos_training.data.checks import CheckedPanel, check_panel, checked_targets
from chronos_training.data.columns import KEYS
from chronos_training.data.formats import Format
from chronos_training.data.histories import histories
from chronos_training.data.rules import Rules
from chronos_training.data.season import measured
from chronos_training.data.sources import read_source


def examine(
    source: str, targets: Sequence[str], rules: Rules | None, form: Format | None = None
) -> tuple[CheckedPanel, dict[str, Any]]:
    """Return the checked panel of `source` and the manifest's keys that tell of it. Nothing is written.

    Raises DataError that begins with the file or the name, ConfigurationError for targets that are not allowed.
    """
    targets = checked_targets(targets)
    origin = read_source(source, targets, form)
    try:
        panel = check_panel(origin.frame, rules, targets=targets)
    except DataError as error:
        told = DataError(f"{origin.description}: {error.message}", hint=error.hint)
        told.facts |= error.facts
        raise told from None
    about = {"source": origin.description, "licence": origin.licence, "notes": [*origin.notes, *panel.notes]}
    return panel, {**summarize(panel, targets), **about}


def summarize(panel: CheckedPanel, targets: Sequence[str]) -> dict[str, Any]:
    """Return what comes from the panel itself: freq, columns, counts, range, lengths, findings."""
    frame = panel.frame
    lengths = frame.groupby("item_id").size()
    values = [column for column in frame.columns if column not in KEYS]
    return {
        "freq": panel.freq,
        "columns": {"item_id": "string", "timestamp": "timestamp[us]"} | dict.fromkeys(values, "double"),
        "item_id_column": "item_id",
        "timestamp_column": "timestamp",
        "target_columns": list(targets),
        "covariates": [column for column in values if column not in targets],
        "items": int(lengths.size),
        "rows": len(frame),
        "start": frame["timestamp"].min().isoformat(),
        "end": frame["timestamp"].max().isoformat(),
        "shortest_series": int(lengths.min()),
        "longest_series": int(lengths.max()),
        "histories": histories(frame, targets),
        "seasons": measured(frame, panel.freq, targets),
        "lowest": {target: float(frame[target].min()) for target in targets},
        "findings": panel.findings,
    }
