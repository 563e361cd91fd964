"""A panel with room for a forecast after the end of every series, and the known covariates that lie there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_training.data.checks import CheckedPanel
from chronos_training.data.columns import typed
from chronos_training.data.formats import Format
from chronos_training.data.grid import DAY, grid_positions, step_of
from chronos_training.data.layout import UNNAMED
from chronos_training.data.panel import Array, Panel
from chronos_training.data.sources import read_source


@dataclass(frozen=True)
class Columns:
    """What a model takes of a panel."""

    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]


def read_known(source: Path, known: Sequence[str], targets: Sequence[str], form: Format) -> pd.DataFrame:
    """Return item_id, timestamp and the columns `known` of a file that is written as the data are.

    Timestamps with a zone are those of UTC, and the column `local` has what their clocks show; of a file of one series without
    ids, item_id is empty. DataError names the file and what is missing in it.
    """
    # It lacks the targets, and may lack the columns that are left out of the data.
    columns = {ours: theirs for ours, theirs in form.columns.items() if ours not in targets}
    found = read_source(str(source), known, replace(form, columns=columns, leave_out=()))
    try:
        frame, local = typed(found.frame[["item_id", "timestamp", *known]], tuple(known))
    except DataError as error:
        raise DataError(f"{source}: {error.message}", hint=error.hint) from None
    twice = frame.duplicated(["item_id", "timestamp"])
    if twice.any():
        first = frame[twice].iloc[0]
        raise DataError(
            f"{source}: {int(twice.sum()):,} rows share item and timestamp with another row; first: item "
            f"{first['item_id']!r} at {first['timestamp']}.",
            hint="Keep one row per item and time.",
        )
    if any(note.startswith(UNNAMED) for note in found.notes):
        frame["item_id"] = ""  # a file without ids is named after itself, and the data are another file
    return frame if local is None else frame.assign(local=local.array)


def with_room(
    checked: CheckedPanel,
    columns: Columns,
    room: int,
    needed: int,
    known: pd.DataFrame | None = None,
) -> tuple[Panel, Array]:
    """Return the panel with `room` observations after the end of every series, and those ends: (series,) positions.

    A series ends with its last row, or before the rows at its end that have known covariates and nothing else: they are
    ahead. The targets have no value after the end; known covariates come from those rows and from `known` (item_id,
    timestamp, columns). DataError when one is missing in the first `needed` observations, with its name.
    """
    frame = checked.frame
    names = (*columns.targets, *columns.past, *columns.known)
    items, first, lengths = np.unique(frame["item_id"].to_numpy(dtype=str), return_index=True, return_counts=True)
    values = {name: frame[name].to_numpy(dtype=float) for name in names}
    ends = _ends(values, columns, first, lengths)
    offsets = np.concatenate([[0], np.cumsum(ends + room)[:-1]]).astype(np.int64)
    out = {name: np.full(int((ends + room).sum()), np.nan) for name in names}
    for begin, length, end, at in zip(first, lengths, ends, offsets, strict=True):
        for name, column in out.items():
            count = min(int(length), int(end) + room) if name in columns.known else int(end)
            column[at : at + count] = values[name][begin : begin + count]
    starts = frame["timestamp"].to_numpy(dtype="datetime64[us]")[first]
    panel = Panel(
        name="data",
        freq=checked.freq,
        item_ids=tuple(items.tolist()),
        starts=starts,
        offsets=offsets,
        lengths=ends + room,
        columns=out,
        targets=columns.targets,
        past=columns.past,
        known=columns.known,
        manifest={"freq": checked.freq},
    )
    if known is not None:
        _put(panel, known)
    _must_be_known(panel, ends, needed)
    return panel, ends


def _ends(values: dict[str, Array], columns: Columns, first: Array, lengths: Array) -> Array:
    """Return how many rows of each series are history."""
    ends = lengths.astype(np.int64)
    if not columns.known:
        return ends
    for i, (begin, length) in enumerate(zip(first, lengths, strict=True)):
        rows = slice(int(begin), int(begin + length))
        seen = np.any([~np.isnan(values[name][rows]) for name in (*columns.targets, *columns.past)], axis=0)
        end = int(np.flatnonzero(seen)[-1]) + 1
        ahead = [~np.isnan(values[name][rows][end:]) for name in columns.known]
        if np.any(ahead):
            ends[i] = end
    return ends


def _put(panel: Panel, known: pd.DataFrame) -> None:
    """Write the known covariates of a table to their places; rows of other series and times are not needed."""
    ids = known["item_id"].where(known["item_id"].ne("") | (len(panel) > 1), panel.item_ids[0])
    items, first = pd.Index(panel.item_ids).get_indexer(ids), grid_positions(panel.starts, panel.freq)
    # As in the data (`zones.settled`): what lies on their grid, of hours rather UTC, of longer steps rather local dates.
    names = ("timestamp", "local") if (step_of(panel.freq) or DAY) < DAY else ("local", "timestamp")
    stamps = [known[name].to_numpy() for name in names if name in known]
    chosen = max(stamps, key=lambda one: int((grid_positions(one, panel.freq).phase == first.phase[items]).sum()))
    at = grid_positions(chosen, panel.freq).number - first.number[items]
    fits = (items >= 0) & (at >= 0) & (at < panel.lengths[items])
    at += panel.offsets[items]
    for name in panel.known:
        given = known[name].to_numpy()
        there = fits & ~np.isnan(given)
        panel.columns[name][at[there]] = given[there]


def _must_be_known(panel: Panel, ends: Array, needed: int) -> None:
    problems = []
    for name in panel.known:
        missing = [
            (item, int(np.flatnonzero(gaps)[0]))
            for item, end in enumerate(ends)
            if (gaps := np.isnan(panel.values(item, name)[end : end + needed])).any()
        ]
        if missing:
            item, step = missing[0]
            stamp = panel.timestamps(item, int(ends[item]) + step, int(ends[item]) + step + 1)[0]
            problems.append(
                f"The model needs {name} for the {needed:,} observations of the forecast; it is missing for "
                f"{len(missing):,} of {len(panel):,} series; first: item {panel.item_ids[item]!r} at {stamp}."
            )
    if problems:
        raise DataError(
            "\n".join(problems),
            hint="Give a file with item_id, timestamp and these columns (--known future.csv), or rows ahead in the data, whose "
            "target is empty.",
        )
