"""Checks and normalizes a panel before it is published. Every refusal gives a count and the first place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.columns import KEYS, typed
from chronos_training.data.frequency import infer_freq, on_one_day, regular
from chronos_training.data.report import Report
from chronos_training.data.resolution import RESOLUTION
from chronos_training.data.rules import Rules
from chronos_training.data.zones import settled

Mask = npt.NDArray[np.bool_]
SMALLEST = 1e-18  # of the largest value of a series: models square it, in float32
_BY = ["item_id", "timestamp"]


@dataclass(frozen=True)
class CheckedPanel:
    """A regular panel, sorted by item and time; missing observations are rows with an empty target.

    `findings` has an entry for each check that found something: check, items and rows (counts), first (up to five item
    ids), handled. `notes` says the same in sentences, after those on how the panel was read.
    """

    frame: pd.DataFrame
    freq: str
    notes: list[str]
    findings: list[dict[str, Any]]


def check_panel(
    frame: pd.DataFrame, rules: Rules | None = None, *, targets: Sequence[str] = ("target",)
) -> CheckedPanel:
    """Return the regular panel of `frame` (item_id, timestamp, `targets`, numeric covariates).

    Rows are sorted; what is not regular is treated by `rules` (default `Rules()`). Its columns are item_id, timestamp,
    the targets, then the covariates. Refused with DataError, all problems of a stage at once: no rows, empty or
    unreadable timestamps, empty item ids, text or infinite numbers; then what the rules refuse, timestamps off the grid
    of the frequency, and a series without any value.
    """
    rules = rules or Rules()
    targets = checked_targets(targets)
    if frame.empty:
        raise DataError("The dataset has no rows.")
    report = Report()
    table, local = typed(frame, targets)
    _tell_blanks(table, report)
    if local is not None:
        table = settled(table, local, report)
    table = _sorted(table, rules, report)
    table = on_one_day(_one_row_each(table, rules, report), report)
    try:
        freq = infer_freq(table)
    except DataError as error:
        report.refuse(error.message, error.hint)
        report.stop()
        raise
    table, added = regular(table, freq, report)
    if added.any():
        _gaps(table, added, rules, report)
    table, added = _series(table, added, targets, rules, report)
    report.stop()
    table = _missing(table, added, targets, rules, report)
    report.stop()
    return CheckedPanel(table, freq, [*report.remarks, *report.notes], report.findings)


def _tell_blanks(table: pd.DataFrame, report: Report) -> None:
    """Say where ids differ in the blanks around them alone: they are what they say, and hardly what was meant."""
    items = pd.Series(table["item_id"].unique(), dtype=object)
    bare = items.str.strip()
    if (same := bare.duplicated(keep=False)).any():
        first = sorted(items[bare == bare[same].iloc[0]])
        report.remarks.append(
            f"Item ids that differ only in whitespace are different series: {', '.join(map(repr, first[:3]))}"
            f"{' and others' if same.sum() > len(first[:3]) else ''}."
        )


def checked_targets(targets: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the target columns. ConfigurationError for none, a name given twice, or a key column."""
    names = tuple(targets)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"Targets: {list(names)!r} is not allowed: must name at least one column.")
    for name in names:
        if name in KEYS:
            raise ConfigurationError(f"Target {name!r} is not allowed: that column identifies the series or the time.")
        if names.count(name) > 1:
            raise ConfigurationError(f"Target {name!r} is given {names.count(name)} times.")
    return names


def _sorted(table: pd.DataFrame, rules: Rules, report: Report) -> pd.DataFrame:
    codes, _ = pd.factorize(table["item_id"], sort=True)
    stamps = table["timestamp"].to_numpy()
    by_item = np.argsort(codes, kind="stable")
    before = (np.diff(stamps[by_item]) < np.timedelta64(0)) & (np.diff(codes[by_item]) == 0)
    if before.any():
        rows = by_item[1:][before]
        items = table["item_id"].iloc[rows]
        if rules.unsorted == "refuse":
            first = int(rows.min())
            report.refuse(
                f"{len(rows):,} rows are earlier than the preceding row of their item; first: item "
                f"{table['item_id'].iloc[first]!r} at {table['timestamp'].iloc[first]}.",
                "Sort the rows, or set rule unsorted to sort.",
                unsorted="sort",
            )
        else:
            note = f"{len(rows):,} rows of {items.nunique():,} series were out of order and were sorted."
            report.found("unsorted", items, len(rows), "sorted", note)
    return table.iloc[np.lexsort((stamps, codes))].reset_index(drop=True)


def _one_row_each(table: pd.DataFrame, rules: Rules, report: Report) -> pd.DataFrame:
    again = _same_as_before(table)
    if not again.any():
        return table
    twice = again | np.append(again[1:], False)
    items, count = table["item_id"][twice], int(twice.sum())
    if rules.duplicates == "refuse":
        first = table[twice].iloc[0]
        report.refuse(
            f"{count:,} rows share item and timestamp with another row; first: item {first['item_id']!r} at "
            f"{first['timestamp']}.",
            "Keep one row per item and time, or set rule duplicates to first, last or mean (--duplicates mean).",
            duplicates="mean",
        )
    else:
        how = {"first": "the first row kept", "last": "the last row kept", "mean": "averaged"}[rules.duplicates]
        note = f"{count:,} rows shared item and timestamp with another row; for each time, {how}."
        report.found("duplicates", items, count, how, note)
    if rules.duplicates == "last":
        return table[~np.append(again[1:], False)].reset_index(drop=True)
    if rules.duplicates == "mean":
        # Sorted by value first: the sum of floats depends on the order, and the result must not.
        means = table[twice].sort_values(list(table.columns)).groupby(_BY, as_index=False).mean()
        return pd.concat([table[~twice], means]).sort_values(_BY, kind="stable").reset_index(drop=True)
    return table[~again].reset_index(drop=True)


def _same_as_before(table: pd.DataFrame) -> Mask:
    mask: Mask = (
        table["item_id"].eq(table["item_id"].shift()) & table["timestamp"].diff().eq(pd.Timedelta(0))
    ).to_numpy()
    return mask


def _gaps(table: pd.DataFrame, added: Mask, rules: Rules, report: Report) -> None:
    items, count = table["item_id"][added], int(added.sum())
    if rules.gaps == "refuse":
        first = table[added].iloc[0]
        report.refuse(
            f"{count:,} timestamps are missing in {items.nunique():,} series; first: item {first['item_id']!r} at "
            f"{first['timestamp']}.",
            "Add a row for each, or set rule gaps to fill.",
            gaps="fill",
        )
    else:
        note = f"{count:,} missing timestamps were added with an empty target."
        report.found("gaps", items, count, "filled with an empty target", note)


def _series(
    table: pd.DataFrame, added: Mask, targets: tuple[str, ...], rules: Rules, report: Report
) -> tuple[pd.DataFrame, Mask]:
    """Return the panel without the series that the rules drop. Series without any value are refused by every rule."""
    groups = table.groupby("item_id", sort=True)
    lengths = groups.size()
    values = groups[list(targets)]
    counts = values.count()
    drop = _judge(
        "short", lengths < rules.shortest, lengths, rules.short, report, f"shorter than {rules.shortest:,} rows"
    )
    # With one value there is nothing that could have changed.
    lowest, highest = values.min(), values.max()
    size = np.maximum(lowest.abs(), highest.abs())
    for target in targets:
        tiny = size[target].gt(0) & size[target].lt(SMALLEST) & ~drop
        if tiny.any():
            report.refuse(
                f"Column {target!r}: {int(tiny.sum()):,} series have no value beyond ±{SMALLEST:g}, whose square "
                f"float32 cannot hold; first: item {tiny[tiny].index[0]!r}.",
                "Use a smaller unit for the column.",
            )
    rounding = RESOLUTION * size
    same = ((highest - lowest <= rounding) & (counts > 1)).all(axis=1) & ~drop
    drop |= _judge("constant", same, lengths, rules.constant, report, "constant: their targets never change")
    for target in targets:
        empty = (counts[target] == 0) & ~drop
        if empty.any():
            where = f"Column {target!r}: " if len(targets) > 1 else ""
            report.refuse(
                f"{where}{int(empty.sum()):,} series have no values at all; first: item {empty[empty].index[0]!r}.",
                "Leave such series out.",
            )
    if not drop.any():
        return table, added
    if drop.all():
        report.refuse("No series is left after the rules short and constant were applied.")
        return table, added
    keep = ~table["item_id"].isin(drop[drop].index).to_numpy()
    return table[keep].reset_index(drop=True), added[keep]


def _judge(check: str, hit: pd.Series, lengths: pd.Series, rule: str, report: Report, what: str) -> pd.Series:
    """Report the series in `hit` and return those to drop, as a mask by item id."""
    none = pd.Series(False, index=hit.index)
    if not hit.any():
        return none
    names, count = list(hit[hit].index), int(hit.sum())
    place = f"first: item {names[0]!r} with {int(lengths[names[0]]):,} rows"
    if rule == "refuse":
        report.refuse(
            f"{count:,} series are {what}; {place}.", f"Leave them out, or set rule {check} to drop.", **{check: "drop"}
        )
        return none
    handled = "dropped" if rule == "drop" else "kept"
    report.found(check, names, int(lengths[hit].sum()), handled, f"{count:,} series are {what} ({handled}); {place}.")
    return hit if rule == "drop" else none


def _missing(table: pd.DataFrame, added: Mask, targets: tuple[str, ...], rules: Rules, report: Report) -> pd.DataFrame:
    columns = list(targets)
    empty = table[columns].isna().any(axis=1).to_numpy()
    came = empty & ~added
    if not empty.any():
        return table
    if rules.missing == "refuse":
        first = table[empty].iloc[0]
        report.refuse(
            f"{int(empty.sum()):,} rows have an empty target, including those of filled gaps; first: item "
            f"{first['item_id']!r} at {first['timestamp']}.",
            "Add values, or set rule missing to keep, interpolate or forward_fill.",
            missing="keep",
        )
        return table
    if rules.missing == "keep":
        if came.any():
            note = f"{int(came.sum()):,} rows came with an empty target."
            report.found("missing", table["item_id"][came], int(came.sum()), "kept empty", note)
        return table
    filled = table.assign(**{column: _filled(table, column, rules.missing) for column in columns})
    left = int(filled[columns].isna().any(axis=1).sum())
    done = "interpolated" if rules.missing == "interpolate" else "filled with the value before"
    note = f"{int(empty.sum()):,} rows had an empty target, including those of filled gaps: {done}"
    note += f"; {left:,} at the edge of a series stay empty." if left else "."
    report.found("missing", table["item_id"][empty], int(empty.sum()), done, note)
    return filled


def _filled(table: pd.DataFrame, column: str, how: str) -> npt.NDArray[np.float64]:
    """Return the column without empty values between two of the same series; what is outside of them as the rule says."""
    values: npt.NDArray[np.float64] = table[column].to_numpy(dtype=np.float64, copy=True)
    known = np.flatnonzero(~np.isnan(values))
    gaps = np.flatnonzero(np.isnan(values))
    codes, _ = pd.factorize(table["item_id"])
    after = np.searchsorted(known, gaps)
    left = known[np.maximum(after - 1, 0)]
    right = known[np.minimum(after, len(known) - 1)]
    has_left = (left < gaps) & (codes[left] == codes[gaps])
    if how == "forward_fill":
        values[gaps[has_left]] = values[left[has_left]]
        return values
    inside = has_left & (right > gaps) & (codes[right] == codes[gaps])
    gaps, left, right = gaps[inside], left[inside], right[inside]
    share = (gaps - left) / (right - left)
    values[gaps] = values[left] * (1 - share) + values[right] * share
    return values
