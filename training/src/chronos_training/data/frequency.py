"""The frequency of a panel, and the panel with every row of its grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_training.data.grid import DAY, freq_of, grid_positions, stamps_at, step_of
from chronos_training.data.report import Report

# Steps that count even where most neighbours are further apart, as in a panel of many gaps.
_USUAL = {"min", "5min", "10min", "15min", "20min", "30min", "h", "2h", "3h", "4h", "6h", "8h", "12h"}
_SPANS = ((28, 31, "M"), (89, 92, "Q"), (365, 366, "Y"))
# Days in which a value of each month may move about, as one of the last trading day does: up to a holiday at a weekend.
_WINDOW = 6
_HOLIDAYS = 0.1
_MOSTLY = 0.8  # of the distances are a multiple of an equal step; the others are mistakes, to be told
_FEW = 5  # times of day that a refusal names
# A mistyped year opens a gap of centuries. Real gaps, as of a shop that sells a thing twice a month, stay far below.
MOST_ADDED = 20


def infer_freq(frame: pd.DataFrame) -> str:
    """Return the pandas frequency of a sorted panel, from the commonest distance of neighbours. DataError if unclear."""
    same = frame["item_id"].eq(frame["item_id"].shift())
    steps = frame["timestamp"].diff()[same]
    steps = steps[steps > pd.Timedelta(0)]
    if steps.empty:
        raise DataError("No series has two rows; so no frequency can be found.", hint="Give series with a history.")
    common = pd.Timedelta(steps.mode().iloc[0])
    stamps = frame["timestamp"]
    equal = freq_of(common // pd.Timedelta(microseconds=1))
    if equal in _USUAL:
        return str(equal)
    days = common / pd.Timedelta(days=1)
    if days == 1:
        return "B" if not (stamps.dt.dayofweek >= 5).any() else "D"
    if days == 7:
        return f"W-{('MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN')[int(stamps.dt.dayofweek.mode().iloc[0])]}"
    span = next((letter for low, high, letter in _SPANS if low <= days <= high), None)
    if span is not None:
        # Most, not all: a single wrong date is better told by its item than by a frequency that cannot be found.
        for edge, at_edge in (
            ("S", stamps.dt.is_month_start),
            ("E", stamps.dt.is_month_end),
            ("S", _usual_day(frame)),
        ):
            if at_edge.sum() * 2 > len(stamps):
                return f"{span}{edge}{'' if span == 'M' else _anchor(stamps[at_edge].dt.month, span, edge)}"
    if equal is not None and steps.eq(common).mean() > 0.5 and (steps % common == pd.Timedelta(0)).mean() >= _MOSTLY:
        return equal
    raise DataError(
        f"The most common distance between rows is {common}, which is not a supported frequency.",
        hint="Use equal steps of seconds, minutes, hours, days or weeks, business days, or one day of each month, quarter or year.",
    )


def _usual_day(frame: pd.DataFrame) -> pd.Series:
    """Return which rows are on their series' commonest day of the month; none where not every month has that day."""
    day = frame["timestamp"].dt.day
    counts = day.groupby(frame["item_id"], sort=False).value_counts(sort=False)
    usual = frame["item_id"].map(counts.groupby(level=0, sort=False).idxmax().map(lambda at: at[1]))
    return day.eq(usual) & (usual <= 28)


def on_one_day(frame: pd.DataFrame, report: Report) -> pd.DataFrame:
    """Return the sorted panel with values of each month that move about by a few days on one day of it, and say so.

    The last business day becomes the last of its month, and the second Tuesday the first. Values of one day, and a panel
    in which a series has two in a month, stay as they are.
    """
    stamps = frame["timestamp"]
    same = frame["item_id"].eq(frame["item_id"].shift())
    steps = stamps.diff()[same]
    common = steps[steps > pd.Timedelta(0)].mode()
    if common.empty or not any(low <= common.iloc[0] / pd.Timedelta(days=1) <= high for low, high, _ in _SPANS):
        return frame
    if len(steps) > 2 and steps.eq(common.iloc[0]).all():
        return frame  # every 28 days: no months
    day, left = stamps.dt.day, stamps.dt.days_in_month - stamps.dt.day
    month = stamps.to_numpy().astype("datetime64[M]")
    twice = same.to_numpy() & np.append(False, month[1:] == month[:-1])
    at_end = left.max() <= _WINDOW
    if twice.any() or not (at_end or day.max() - day.min() <= _WINDOW):
        return frame
    moved = pd.Series((month + 1).astype("datetime64[D]") - 1 if at_end else month, index=frame.index)
    off = stamps.dt.normalize().ne(moved)
    weekend = off & moved.dt.dayofweek.ge(5)
    # Mostly on one day: then the others are mistakes, unless that day was a weekend's; a few were a holiday's.
    mostly = max(float(_usual_day(frame).mean()), 1 - float(off.mean())) > 0.5
    if mostly and not (weekend.any() and (off & ~weekend).mean() <= _HOLIDAYS):
        return frame
    edge = "last" if at_end else "first"
    note = f"The values are of days {day.min()} to {day.max()} of a month, one per month; they are placed on its {edge} day."
    report.found("days of the month", frame["item_id"][off], int(off.sum()), f"at its {edge} day", note)
    return frame.assign(timestamp=moved.astype("datetime64[us]"))


def _anchor(months: pd.Series, letter: str, edge: str) -> str:
    """Return pandas' anchor month: a quarter may begin in January or February, a year in any month."""
    if letter == "Q":
        months = (months - 1) % 3 + (1 if edge == "S" else 10)
    return f"-{pd.Timestamp(2000, int(months.mode().iloc[0]), 1).strftime('%b').upper()}"


def regular(frame: pd.DataFrame, freq: str, report: Report) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Return the sorted panel with every row of each series' grid, and which rows were added (all their values empty).

    Timestamps off the grid, and gaps too long to be meant, end in DataError together with the problems of `report`.
    """
    stamps = frame["timestamp"].to_numpy()
    positions = grid_positions(stamps, freq)
    new = frame["item_id"].ne(frame["item_id"].shift()).to_numpy()
    first = np.flatnonzero(new)  # row of each series' first observation
    series = np.cumsum(new) - 1
    off = ~positions.fits | (positions.phase != positions.phase[first][series])
    if off.any():
        _refuse_off_grid(frame, series, positions.phase, positions.fits, off, freq, report)
        report.stop()
    last = np.append(first[1:], len(frame)) - 1
    lengths = positions.number[last] - positions.number[first] + 1
    total = int(lengths.sum())
    if total == len(frame):
        return frame, np.zeros(total, dtype=bool)
    if total - len(frame) > MOST_ADDED * len(frame):
        _refuse_long_gap(frame, positions.number, new, total, report)
        report.stop()
    begins = np.cumsum(lengths) - lengths  # first row of each series in the result
    owner = np.repeat(np.arange(len(first)), lengths)
    number = np.arange(total) - begins[owner] + positions.number[first][owner]
    rows = begins[series] + positions.number - positions.number[first][series]
    columns: dict[str, npt.NDArray[np.generic]] = {
        "item_id": frame["item_id"].to_numpy()[first][owner],
        "timestamp": stamps_at(number, positions.phase[first][owner], freq),
    }
    for column in frame.columns[2:]:
        values = np.full(total, np.nan)
        values[rows] = frame[column].to_numpy()
        columns[column] = values
    added = np.ones(total, dtype=bool)
    added[rows] = False
    return pd.DataFrame(columns), added


def _refuse_off_grid(
    frame: pd.DataFrame,
    series: npt.NDArray[np.int64],
    phase: npt.NDArray[np.int64],
    fits: npt.NDArray[np.bool_],
    off: npt.NDArray[np.bool_],
    freq: str,
    report: Report,
) -> None:
    """Name the first series off the grid. Its commonest time of day counts, so that one odd first row is the odd one."""
    touched = np.unique(series[off])
    rows = np.flatnonzero(series == touched[0])
    usual = pd.Series(phase[rows]).mode().iloc[0]
    wrong = rows[~fits[rows] | (phase[rows] != usual)]
    more = f" {len(touched) - 1:,} other series have such timestamps too." if len(touched) > 1 else ""
    step = step_of(freq)
    times = _times_of_day(frame["timestamp"].iloc[rows]) if step is None or step % DAY == 0 else []
    hint = "Correct them, or give the rows of one frequency only."
    if 1 < len(times) <= _FEW:
        more = f" Its times of day are {', '.join(times[:-1])} and {times[-1]}.{more}"
        hint = (
            "Give dates without a time. If they are one local time in a zone with daylight saving, written in UTC, "
            "give local dates, or name the zone (--zone Europe/Berlin), which needs timestamps that end in Z or an "
            "offset."
        )
    report.refuse(
        f"Item {frame['item_id'].iloc[rows[0]]!r}: {len(wrong):,} timestamps do not fit the frequency {freq!r}; "
        f"first: {frame['timestamp'].iloc[wrong[0]]}.{more}",
        hint,
    )


def _times_of_day(stamps: pd.Series) -> list[str]:
    """Return the different times of day as text, the commonest first; each with seconds only where it has some."""
    texts = stamps.dt.strftime("%H:%M:%S").str.removesuffix(":00")
    return [str(text) for text in texts.value_counts().index]


def _refuse_long_gap(
    frame: pd.DataFrame, number: npt.NDArray[np.int64], new: npt.NDArray[np.bool_], total: int, report: Report
) -> None:
    jumps = np.diff(number)
    jumps[new[1:]] = 0
    row = int(np.argmax(jumps))
    stamps = frame["timestamp"]
    report.refuse(
        f"The gaps are missing {total - len(frame):,} rows, but there are only {len(frame):,}; the longest is of item "
        f"{frame['item_id'].iloc[row]!r}, from {stamps.iloc[row]} to {stamps.iloc[row + 1]}.",
        "Is a year mistyped?",
    )
