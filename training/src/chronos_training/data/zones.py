"""Timestamps with a time zone: whether their local dates or their instants (UTC) are what a panel is regular in.

Days, business days, weeks, months, quarters and years are of local dates: midnight in Berlin is another time of UTC in
summer. Hours and minutes are instants: a local day has 23 of them when clocks go forward, and none is there twice in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.frequency import infer_freq, on_one_day
from chronos_training.data.grid import DAY, grid_positions, step_of
from chronos_training.data.report import Report

# After a date: a time, and then Z, +01:00, -0500 or +01.
ZONED = r"\d[T ]\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$"
_ZONE = r"\s*(?:Z|[+-]\d\d(?::?\d\d)?)$"


def local_of(values: pd.Series) -> pd.Series | None:
    """Return dates (see `dates.plain`) as their own clocks show them (naive, µs); None where none of them has a zone."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_localize(None).astype("datetime64[us]")
    if values.dtype.kind in "mMiufb":
        return None
    texts = _texts(values)
    if not texts.str.contains(ZONED, regex=True).any():
        return None
    local = texts.str.replace(_ZONE, "", regex=True)
    return pd.to_datetime(local, errors="coerce", format="ISO8601").astype("datetime64[us]")


def _texts(values: pd.Series) -> pd.Series:
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        return values
    return values.map(lambda value: value.isoformat() if hasattr(value, "tzinfo") else str(value))


def in_zone(values: pd.Series, name: str) -> pd.Series:
    """Return dates that have a zone as dates of the zone `name`. DataError for dates without one: they are local already.

    Where only some have one they stay as they are, to be told.
    """
    meant = zone(name)
    if local_of(values) is None:
        raise DataError(
            "zone is for timestamps that carry a zone, as 2024-01-31T23:00Z does, but these carry none.",
            hint="Leave out --zone.",
        )
    if values.dtype.kind == "O" and not _texts(values).str.contains(ZONED, regex=True).all():
        return values
    return pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601").dt.tz_convert(meant)


def zone(name: str) -> ZoneInfo:
    """Return a time zone. ConfigurationError when nobody knows it."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder, or no name at all
        raise ConfigurationError(
            f"Format zone: {name!r} is not a known time zone. Give one such as Europe/Berlin or America/New_York."
        ) from None


def settled(table: pd.DataFrame, local: pd.Series, report: Report) -> pd.DataFrame:
    """Return the panel with the local dates as its timestamps, or as it is, with those of UTC; and say which.

    `table` has columns item_id and timestamp (UTC); `local` is what the clocks showed in each of its rows.
    """
    if local.eq(table["timestamp"]).all():
        return table
    here = table.assign(timestamp=local.array)
    utc, own = _judged(table), _judged(here)
    if utc.fits and utc.within_a_day:
        chosen, what = table, "they are kept in UTC, and so are the forecasts"
    elif utc.fits and (not own.fits or (utc.midnight and not own.midnight)):
        chosen, what = table, "they are dates of UTC"
    else:
        chosen, what = here, "their local dates and times are used"
    report.remarks.append(f"The timestamps have a time zone: {what}.")
    return chosen


@dataclass(frozen=True)
class _Judged:
    fits: bool  # all series lie on the grid
    within_a_day: bool  # the step is shorter than a day
    midnight: bool  # of all timestamps


def _judged(table: pd.DataFrame) -> _Judged:
    codes, _ = pd.factorize(table["item_id"])
    order = np.lexsort((table["timestamp"].to_numpy(), codes))
    frame = on_one_day(table[["item_id", "timestamp"]].iloc[order].reset_index(drop=True), Report())
    stamps, codes = frame["timestamp"].to_numpy(), codes[order]
    midnight = bool((stamps.astype("datetime64[us]").astype(np.int64) % DAY == 0).all())
    try:
        freq = infer_freq(frame)
    except DataError:
        return _Judged(False, False, midnight)
    positions, step = grid_positions(stamps, freq), step_of(freq)
    same = np.diff(codes) == 0
    fits = bool(positions.fits.all() and (np.diff(positions.phase)[same] == 0).all())
    return _Judged(fits, step is not None and step < DAY, midnight)
