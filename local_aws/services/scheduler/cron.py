"""AWS's cron expressions: six fields, of which exactly one of day-of-month and day-of-week is a ?.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html#eb-cron-expressions
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_SATURDAY, _SUNDAY = 5, 6  # as in the calendar module

Days = Callable[[int, int], set[int]]  # which days of a year's month


class InvalidCron(ValueError):
    """No cron expression of AWS's."""


@dataclass(frozen=True)
class Cron:
    """A parsed expression. Times are local and have no zone."""

    minutes: list[int]
    hours: list[int]
    months: list[int]
    years: list[int]
    days: Days

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first minute after `after`, None when there is none until 2199."""
        start = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for year in self.years[bisect_left(self.years, start.year) :]:
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in sorted(self.days(year, month)):
                    if (year, month, day) >= (start.year, start.month, start.day):
                        today = (year, month, day) == (start.year, start.month, start.day)
                        at = self._first_of_day(start if today else datetime(year, month, day))
                        if at is not None:
                            return at
        return None

    def _first_of_day(self, start: datetime) -> datetime | None:
        """The first at `start` or later on its day."""
        for hour in self.hours[bisect_left(self.hours, start.hour) :]:
            place = bisect_left(self.minutes, start.minute) if hour == start.hour else 0
            if place < len(self.minutes):
                return start.replace(hour=hour, minute=self.minutes[place])
        return None


def parse(text: str) -> Cron:
    """Return the expression between the brackets of cron(…). InvalidCron when it is none."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise InvalidCron(f"six fields are wanted: {text}")
    minutes, hours, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise InvalidCron("exactly one of day-of-month and day-of-week must be ?")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _values(month, 1, 12, _MONTHS),
        _values(year, _FIRST_YEAR, _LAST_YEAR),
        _days_of_week(weekday) if day == "?" else _days_of_month(day),
    )


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> list[int]:
    """The numbers of a field: lists of numbers, names, ranges, * and steps."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        elif dash:
            begin, end = _number(first, names), _number(last, names)
        else:
            begin = _number(first, names)
            end = high if slash else begin
        every = _number(step) if slash else 1
        if not (low <= begin <= end <= high and 1 <= every <= high):
            raise InvalidCron(f"{part} is not within {low} and {high}")
        found.update(range(begin, end + 1, every))
    return sorted(found)


def _number(text: str, names: dict[str, int] | None = None) -> int:
    if names and text in names:
        return names[text]
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise InvalidCron(f"{text or 'nothing'} is no value")
    return int(text)


def _days_of_month(field: str) -> Days:
    if field == "L":
        return lambda year, month: {_length(year, month)}
    if field == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    if near := re.fullmatch(r"([0-9]{1,2})W", field):
        day = _values(near[1], 1, 31)[0]
        return lambda year, month: {_nearest_weekday(year, month, day)} if day <= _length(year, month) else set()
    days = _values(field, 1, 31)
    return lambda year, month: {day for day in days if day <= _length(year, month)}


def _days_of_week(field: str) -> Days:
    if field == "L":  # of the week: Saturday
        field = "7"
    if last := re.fullmatch(r"(\w+)L", field):
        weekday = _values(last[1], 1, 7, _WEEKDAYS)[0]
        return lambda year, month: {max(_on(year, month, {weekday}))}
    if numbered := re.fullmatch(r"(\w+)#([1-5])", field):
        weekday, nth = _values(numbered[1], 1, 7, _WEEKDAYS)[0], int(numbered[2])
        return lambda year, month: set(sorted(_on(year, month, {weekday}))[nth - 1 : nth])
    weekdays = set(_values(field, 1, 7, _WEEKDAYS))
    return lambda year, month: _on(year, month, weekdays)


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _on(year: int, month: int, weekdays: set[int]) -> set[int]:
    """The days of a month that are one of `weekdays` (Sunday is 1)."""
    first, length = calendar.monthrange(year, month)
    return {day for day in range(1, length + 1) if (first + day) % 7 + 1 in weekdays}


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The weekday nearest to a day, in the same month."""
    of_week = calendar.weekday(year, month, day)
    if of_week == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if of_week == _SUNDAY:
        return day + 1 if day < _length(year, month) else day - 2
    return day
