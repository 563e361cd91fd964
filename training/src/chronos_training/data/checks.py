"""Checks and normalizes a panel before it is published. Every refusal gives a count and the first place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError

_STEPS = {"1min": "min", "15min": "15min", "30min": "30min", "1h": "h"}


@dataclass(frozen=True)
class CheckedPanel:
    """A regular panel, sorted by item and time; missing observations are rows with an empty target."""

    frame: pd.DataFrame
    freq: str
    notes: list[str]


def check_panel(frame: pd.DataFrame) -> CheckedPanel:
    """Return the regular panel of `frame` (item_id, timestamp, target, numeric covariates).

    Rows are sorted; a missing timestamp inside a series becomes a row with an empty target, counted in the notes.
    Refused with DataError: no rows, empty or unreadable timestamps, empty item ids, text or infinite numbers,
    duplicate rows of one item and time, timestamps off the grid of the frequency, a series without any value.
    """
    if frame.empty:
        raise DataError("The dataset has no rows.")
    frame = _typed(frame)
    twice = frame.duplicated(["item_id", "timestamp"], keep=False)
    if twice.any():
        first = frame[twice].sort_values(["item_id", "timestamp"]).iloc[0]
        raise DataError(
            f"{int(twice.sum())} rows share item and timestamp with another row; first: item {first['item_id']!r} at "
            f"{first['timestamp']}.",
            hint="Keep one row for each item and time.",
        )
    frame = frame.sort_values(["item_id", "timestamp"], kind="stable").reset_index(drop=True)
    freq = infer_freq(frame)
    regular, filled = _regular(frame, freq)
    empty = regular.groupby("item_id")["target"].count()
    if (empty == 0).any():
        raise DataError(
            f"{int((empty == 0).sum())} series have no value at all; first: item {empty[empty == 0].index[0]!r}."
        )
    notes = [f"{filled:,} missing timestamps were added with an empty target."] if filled else []
    if gaps := int(regular["target"].isna().sum()) - filled:
        notes.append(f"{gaps:,} rows came with an empty target.")
    return CheckedPanel(regular, freq, notes)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    if out["item_id"].isna().any():
        raise DataError(f"{int(out['item_id'].isna().sum())} rows have no item_id.")
    out["item_id"] = out["item_id"].astype(str)
    stamps = out["timestamp"]
    if pd.api.types.is_numeric_dtype(stamps):
        raise DataError("The timestamp column holds numbers; give dates such as 2024-01-31 or 2024-01-31 13:00.")
    parsed = pd.to_datetime(stamps, errors="coerce", utc=True).dt.tz_localize(None).astype("datetime64[us]")
    if parsed.isna().any():
        row = int(np.flatnonzero(parsed.isna())[0])
        raise DataError(
            f"{int(parsed.isna().sum())} timestamps cannot be read; first: {stamps.iloc[row]!r} in row {row + 1}."
        )
    out["timestamp"] = parsed
    for column in (c for c in out.columns if c not in {"item_id", "timestamp"}):
        numbers = pd.to_numeric(out[column], errors="coerce")
        wrong = numbers.isna() & out[column].notna()
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"Column {column!r}: {int(wrong.sum())} values are not numbers; first: {out[column].iloc[row]!r} in row {row + 1}."
            )
        if np.isinf(numbers.astype("float64")).any():
            raise DataError(f"Column {column!r}: {int(np.isinf(numbers.astype('float64')).sum())} values are infinite.")
        out[column] = numbers.astype("float64")
    return out


def infer_freq(frame: pd.DataFrame) -> str:
    """Return the pandas frequency of a sorted panel, from the commonest distance of neighbours. DataError if unclear."""
    same = frame["item_id"].eq(frame["item_id"].shift())
    steps = frame["timestamp"].diff()[same]
    if steps.empty:
        raise DataError("No series has two rows; a frequency cannot be found.")
    common = pd.Timedelta(steps.mode().iloc[0])
    stamps = frame["timestamp"]
    for text, freq in _STEPS.items():
        if common == pd.Timedelta(text):
            return freq
    days = common / pd.Timedelta(days=1)
    if days == 1:
        return "B" if not (stamps.dt.dayofweek >= 5).any() else "D"
    if days == 7:
        return f"W-{stamps.iloc[0].strftime('%a').upper()}"
    at_start, at_end = bool(stamps.dt.is_month_start.all()), bool(stamps.dt.is_month_end.all())
    for low, high, letter in ((28, 31, "M"), (89, 92, "Q"), (365, 366, "Y")):
        if low <= days <= high and (at_start or at_end):
            anchor = "" if letter == "M" else _anchor(stamps.iloc[0], letter, at_start)
            return f"{letter}{'S' if at_start else 'E'}{anchor}"
    raise DataError(
        f"The commonest distance of two rows is {common}; that is no frequency that can be forecast here.",
        hint="Use minutes (1, 15, 30), hours, days, business days, weeks, or the start or end of months, quarters, years.",
    )


def _anchor(stamp: pd.Timestamp, letter: str, at_start: bool) -> str:
    """Return pandas' anchor month: a quarter may begin in January or February, a year in any month."""
    month = stamp.month
    if letter == "Q":
        month = (month - 1) % 3 + 1 if at_start else (month - 1) % 3 + 10
    return f"-{pd.Timestamp(2000, month, 1).strftime('%b').upper()}"


def _regular(frame: pd.DataFrame, freq: str) -> tuple[pd.DataFrame, int]:
    """Return the panel with every timestamp of each series' grid, and the number of rows added."""
    parts = []
    for item, series in frame.groupby("item_id", sort=True):
        grid = pd.date_range(series["timestamp"].iloc[0], series["timestamp"].iloc[-1], freq=freq)
        grid = grid.astype("datetime64[us]")
        off = ~series["timestamp"].isin(grid)
        if off.any():
            raise DataError(
                f"Item {item!r}: {int(off.sum())} timestamps do not fit the frequency {freq!r}; "
                f"first: {series['timestamp'][off].iloc[0]}."
            )
        if len(grid) != len(series):
            series = series.set_index("timestamp").reindex(grid).rename_axis("timestamp").reset_index()
            series["item_id"] = item
        parts.append(series[list(frame.columns)])
    regular = pd.concat(parts, ignore_index=True)
    return regular, len(regular) - len(frame)
