"""The grid of a frequency: the number that a timestamp has on it, and back. Vectors of any length, no loop over series.

pandas and utilsforecast do not give these answers: `pandas.infer_freq` finds nothing in a series with a gap, and
`utilsforecast.fill_gaps` empties every value of a series whose days begin at 06:30 or whose months have their value on the 15th.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Stamps = npt.NDArray[np.datetime64]

DAY = 86_400_000_000  # microseconds
MINUTE = 60_000_000
_UNITS = {"D": DAY, "h": 60 * MINUTE, "min": MINUTE, "s": MINUTE // 60}
_FIXED = re.compile(r"^(\d*)(D|h|min|s)$")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CALENDAR = re.compile(r"^([MQY])([SE])(?:-([A-Z]{3}))?$")
_THURSDAY = 3  # day 0 of the Unix calendar, counted from Monday
_MONTH = 40 * DAY  # a month in a phase: more than what is left of one


@dataclass(frozen=True)
class GridPositions:
    """Of each timestamp: its `number` on the grid, its `phase` beside it in µs, and whether it `fits`.

    The phase is the time of day; with it the days after a week's own day, the days before it in the month for the start of
    months, quarters and years (values of each 15th have a phase of 14 days), and for quarters and years 40 days for each
    month after theirs. Timestamps of one series with one phase that all fit lie on the grid; their numbers rise by 1.
    """

    number: Ints
    phase: Ints
    fits: npt.NDArray[np.bool_]


def step_of(freq: str) -> int | None:
    """Return the step of a frequency of equal steps (10min, 4h, D, 14D), in microseconds; None for one of the calendar."""
    match = _FIXED.match(freq)
    return int(match[1] or 1) * _UNITS[match[2]] if match else None


def freq_of(step: int) -> str | None:
    """Return the frequency of equal steps of so many microseconds; None for less than a second, and for parts of one."""
    unit = next((unit for unit, size in _UNITS.items() if step > 0 and step % size == 0), None)
    if unit is None:
        return None
    count = step // _UNITS[unit]
    return unit if count == 1 else f"{count}{unit}"


def grid_positions(stamps: Stamps, freq: str) -> GridPositions:
    """Return the positions of `stamps` (datetime64[us]) on the grid of the pandas frequency `freq`."""
    micros = stamps.astype("datetime64[us]").astype(np.int64)
    if step := step_of(freq):
        return GridPositions(micros // step, micros % step, np.ones(len(micros), dtype=bool))
    day, phase = micros // DAY, micros % DAY
    if freq == "B":
        week, weekday = (day + _THURSDAY) // 7, (day + _THURSDAY) % 7
        return GridPositions(week * 5 + weekday, phase, weekday < 5)
    if freq.startswith("W-"):
        shifted = day + _THURSDAY - _WEEKDAYS.index(freq[2:])
        return GridPositions(shifted // 7, shifted % 7 * DAY + phase, np.ones(len(micros), dtype=bool))
    size, offset, at_start = _calendar(freq)
    month = stamps.astype("datetime64[M]").astype(np.int64)
    number, beside = (month - offset) // size, (month - offset) % size * _MONTH
    if at_start:
        return GridPositions(number, beside + micros - _first_day(month) * DAY, np.ones(len(micros), dtype=bool))
    return GridPositions(number, beside + phase, day == _first_day(month + 1) - 1)


def stamps_at(number: Ints, phase: Ints, freq: str) -> Stamps:
    """Return the timestamps (datetime64[us]) of the positions `number` with `phase` on the grid of `freq`."""
    if step := step_of(freq):
        return (number * step + phase).astype("datetime64[us]")
    if freq == "B":
        day = number // 5 * 7 + number % 5 - _THURSDAY
    elif freq.startswith("W-"):
        day = number * 7 - _THURSDAY + _WEEKDAYS.index(freq[2:])
    else:
        size, offset, at_start = _calendar(freq)
        month, phase = number * size + offset + phase // _MONTH, phase % _MONTH
        day = _first_day(month) if at_start else _first_day(month + 1) - 1
    return (day * DAY + phase).astype("datetime64[us]")


def after(stamp: np.datetime64 | str, steps: Ints, freq: str) -> Stamps:
    """Return the timestamps (datetime64[us]) that come `steps` after one that is on the grid of `freq`."""
    start = grid_positions(np.array([stamp], dtype="datetime64[us]"), freq)
    return stamps_at(start.number + steps, np.broadcast_to(start.phase, np.shape(steps)), freq)


def pandas_stamps(stamps: Stamps, freq: str) -> Stamps:
    """Return `stamps` (datetime64[ns]) as pandas' own grid of `freq` has them.

    To it, months begin on their first day at midnight, and weeks, quarters and years of all series on one day.
    """
    match = _CALENDAR.match(freq)
    if match is None and not freq.startswith("W-"):
        return stamps.astype("datetime64[ns]")
    positions = grid_positions(stamps, freq)
    phase = positions.phase % DAY if match is None or match[2] == "E" else np.zeros_like(positions.phase)
    return stamps_at(positions.number, phase, freq).astype("datetime64[ns]")


def _calendar(freq: str) -> tuple[int, int, bool]:
    """Return months in a step, the month that a step has (0 is January), and whether it is its first day."""
    match = _CALENDAR.match(freq)
    if match is None:
        raise ValueError(f"no grid for frequency {freq!r}")
    letter, edge, anchor = match.groups()
    size = {"M": 1, "Q": 3, "Y": 12}[letter]
    return size, (_MONTHS.index(anchor) % size if anchor else 0), edge == "S"


def _first_day(month: Ints) -> Ints:
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
