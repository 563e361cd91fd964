"""Cron expressions against an oracle that looks at every minute."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.services.scheduler import expressions
from local_aws.services.scheduler.cron import InvalidCron, parse

DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTH_NAMES = [name.upper() for name in calendar.month_abbr[1:]]


def fits(field: str, value: int, low: int, names: list[str]) -> bool:
    """The oracle's own reading of one field without L, W and #."""

    def number(text: str) -> int:
        return names.index(text) + low if text in names else int(text)

    def part_fits(part: str) -> bool:
        span, _, step = part.partition("/")
        if span == "*":
            return not step or (value - low) % int(step) == 0
        first, _, last = span.partition("-")
        if not step:
            return number(first) <= value <= number(last or first)
        return number(first) <= value <= (number(last) if last else 10**6) and (value - number(first)) % int(step) == 0

    return any(map(part_fits, field.split(",")))


def weekday_of(day: datetime) -> int:
    return day.isoweekday() % 7 + 1  # Sunday is 1


def day_fits(day: datetime, of_month: str, of_week: str) -> bool:
    last = (day + timedelta(days=1)).month != day.month
    if of_month == "L":
        return last
    if of_month.endswith("W"):
        asked = int(of_month[:-1])
        weekdays = [d for d in same_month(day) if d.weekday() < 5]
        near = [d for d in same_month(day) if d.day == asked]
        return bool(near) and day == min(weekdays, key=lambda d: (abs(d.day - asked), -d.day if asked == 1 else d.day))
    if of_week.endswith("L"):
        return weekday_of(day) == int(of_week[:-1]) and (day + timedelta(days=7)).month != day.month
    if "#" in of_week:
        weekday, nth = map(int, of_week.split("#"))
        return weekday_of(day) == weekday and (day.day - 1) // 7 + 1 == nth
    if of_week == "?":
        return fits(of_month, day.day, 1, [])
    return fits(of_week, weekday_of(day), 1, DAY_NAMES)


def same_month(day: datetime) -> list[datetime]:
    first = day.replace(day=1)
    return [d for d in (first + timedelta(days=n) for n in range(31)) if d.month == day.month]


def field(low: int, high: int, names: list[str]) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    spelled = value.map(lambda v: names[v - low]) if names else value.map(str)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, min(high, 23))
    part = st.one_of(
        st.just("*"), spelled, span, step.map("*/{}".format), st.tuples(value, step).map("{0[0]}/{0[1]}".format)
    )
    return st.lists(part, min_size=1, max_size=3).map(",".join)


DAYS = st.one_of(
    field(1, 31, []).map(lambda days: (days, "?")),
    field(1, 7, DAY_NAMES).map(lambda days: ("?", days)),
    st.just(("L", "?")),
    st.integers(1, 31).map(lambda day: (f"{day}W", "?")),
    st.integers(1, 7).map(lambda day: ("?", f"{day}L")),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda pair: ("?", f"{pair[0]}#{pair[1]}")),
)


@settings(max_examples=150, deadline=None)
@given(
    field(0, 59, []),
    field(0, 23, []),
    DAYS,
    field(1, 12, MONTH_NAMES),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)
def test_what_is_due_in_four_days_is_what_the_oracle_finds(
    minutes: str, hours: str, days: tuple[str, str], months: str, start: datetime
) -> None:
    cron = parse(f"{minutes} {hours} {days[0]} {months} {days[1]} *")
    end = start + timedelta(days=4)
    found, at = [], start
    while (at := cron.next_after(at)) is not None and at <= end:  # type: ignore[assignment]
        found.append(at)
    minute, expected = start.replace(second=0, microsecond=0) + timedelta(minutes=1), []
    right: dict[datetime, bool] = {}
    while minute <= end:
        day = minute.replace(hour=0, minute=0)
        if day not in right:
            right[day] = fits(months, day.month, 1, MONTH_NAMES) and day_fits(day, *days)
        if right[day] and fits(hours, minute.hour, 0, []) and fits(minutes, minute.minute, 0, []):
            expected.append(minute)
        minute += timedelta(minutes=1)
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(
    field(0, 59, []),
    st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"]),
    st.sampled_from([datetime(2026, 3, 7), datetime(2026, 10, 31), datetime(2026, 3, 28), datetime(2026, 10, 3)]),
)
def test_each_local_minute_that_exists_is_due_once(minutes: str, name: str, day: datetime) -> None:
    """Walks over every minute of UTC and reads the local clock, as a person would."""
    zone = ZoneInfo(name)
    start = day.replace(tzinfo=timezone.utc)
    due = expressions.recurrence(f"cron({minutes} * * * ? *)", zone, 0.0)
    found, at = [], start.timestamp()
    end = (start + timedelta(days=2)).timestamp()
    while (at := due(at)) is not None and at <= end:  # type: ignore[assignment]
        found.append(at)
    seen: set[datetime] = set()
    # What was on the clock in the hours before is not due a second time.
    for before in range(-180, 1):
        seen.add((start + timedelta(minutes=before)).astimezone(zone).replace(tzinfo=None))
    expected = []
    for minute in range(1, 2 * 1440 + 1):
        moment = start + timedelta(minutes=minute)
        local = moment.astimezone(zone).replace(tzinfo=None)
        if local not in seen and fits(minutes, local.minute, 0, []):
            expected.append(moment.timestamp())
        seen.add(local)
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "0 12 * * *",  # five fields
        "0 12 * * ? * *",
        "0 12 * * * *",  # no ?
        "0 12 ? * ? *",
        "60 12 * * ? *",
        "*/60 * * * ? *",
        "0 24 * * ? *",
        "0 12 0 * ? *",
        "0 12 * 13 ? *",
        "0 12 ? * 0 *",
        "0 12 ? * MON-FUN *",
        "0 12 ? * 2#6 *",
        "5-1 12 * * ? *",
        "0/0 12 * * ? *",
        "-1 12 * * ? *",
        "0 12 * * ? 1969",
        "0 12 * * ? 2200",
        "",
    ],
)
def test_no_expressions(text: str) -> None:
    with pytest.raises(InvalidCron):
        parse(text)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert parse("0 0 31 2 ? *").next_after(datetime(2026, 1, 1)) is None
    assert parse("0 0 1 1 ? 2025").next_after(datetime(2026, 1, 1)) is None
    assert parse("0 0 29 2 ? *").next_after(datetime(2026, 1, 1)) == datetime(2028, 2, 29)
