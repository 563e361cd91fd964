"""The exchange's sessions: which days are ones, when they close, and which one's prices are due at a moment.

A session is named by its day as a naive midnight (`pandas.Timestamp`), which is also a table's `date`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd

from chronos_training.core.errors import ConfigurationError

NEW_YORK = "XNYS"
# From here on XNYS has exactly the days of the S&P 500's history; before, it lacks holidays and the closed Wednesdays of 1968.
BEGINS = pd.Timestamp("1970-01-01")
MORE = pd.Timedelta(days=365)  # before the first day that is asked for
LONGEST_PAUSE = pd.Timedelta(days=20)  # between two sessions, with room: lunar new year and the like
# Prices are due this long after the close: by then the closing auction is reported.
DELAY = timedelta(hours=1)

Day = str | date  # a datetime and a Timestamp are dates, too


class Calendar:
    """The sessions of one exchange, from 1970 (or where its calendar begins) to a year ahead.

    It is made when it is first asked, from a year before the day that it is asked for; all of it, when that is not enough.
    For a daily step it is, and all of it takes a third of a second.
    """

    def __init__(self, name: str = NEW_YORK, closed: tuple[str, ...] = ()) -> None:
        """`name` is one of exchange_calendars; `closed` are days that it takes for sessions, and that were none.

        A day of mourning is announced days ahead: no released calendar knows the next one. ConfigurationError.
        """
        if name not in exchange_calendars.get_calendar_names():
            raise ConfigurationError(
                f"There is no calendar {name!r}.", hint="Use a name of exchange_calendars, such as XNYS, XETR or XTKS."
            )
        self.name, self.closed = name, closed
        self._begins: pd.Timestamp | None = None

    def _reach(self, day: pd.Timestamp) -> None:
        """Have the sessions from `day` on, as far as the calendar has any."""
        if self._begins is not None and (day >= self._begins or self._begins == BEGINS):
            return
        self._begins = max(BEGINS, day.normalize() - MORE) if self._begins is None else BEGINS
        exchange = _exchange(self.name, self._begins)
        without = pd.DatetimeIndex([_day(one) for one in self.closed])
        self._sessions: pd.DatetimeIndex = exchange.sessions.difference(without)
        self._zone = exchange.tz
        self._closes: pd.Series = exchange.closes.loc[self._sessions]
        self._early: pd.DatetimeIndex = exchange.early_closes.difference(without)

    @property
    def first(self) -> pd.Timestamp:
        """The first session."""
        self._reach(BEGINS)
        return self._sessions[0]

    @property
    def last(self) -> pd.Timestamp:
        """The last session that is known, about a year ahead."""
        self._reach(pd.Timestamp.now())
        return self._sessions[-1]

    def sessions(self, first: Day, last: Day) -> pd.DatetimeIndex:
        """Return the sessions from `first` to `last`, both counted in."""
        self._reach(_day(first))
        begin = self._sessions.searchsorted(_day(first), side="left")
        return self._sessions[begin : self._sessions.searchsorted(_day(last), side="right")]

    def are_sessions(self, dates: pd.Series | pd.DatetimeIndex) -> np.ndarray:
        """Return for each of `dates` (n) whether it is a session: bool (n)."""
        days = pd.DatetimeIndex(dates)
        if days.empty:
            return np.zeros(0, bool)
        self._reach(days.min())
        return np.asarray(days.isin(self._sessions))

    def is_session(self, day: Day) -> bool:
        """Return whether `day` is a session."""
        self._reach(_day(day))
        return _day(day) in self._sessions

    def at_or_before(self, day: Day) -> pd.Timestamp:
        """Return `day` if it is a session, else the last one before it. ValueError when the calendar begins later."""
        self._reach(_day(day) - LONGEST_PAUSE)
        position = int(self._sessions.searchsorted(_day(day), side="right")) - 1
        if position < 0:
            raise ValueError(f"the calendar {self.name} begins on {self.first.date()}, after {_day(day).date()}")
        return self._sessions[position]

    def after(self, session: Day, count: int) -> pd.Timestamp:
        """Return the session `count` sessions after `session`; before it when `count` is negative. ValueError."""
        # Fewer than half of all days are none, even of those in a row.
        self._reach(_day(session) - max(0, -count) * pd.Timedelta(days=2) - LONGEST_PAUSE)
        position = self._position(session) + count
        if not 0 <= position < len(self._sessions):
            raise ValueError(f"the calendar {self.name} has no session {count} sessions from {_day(session).date()}")
        return self._sessions[position]

    def distance(self, first: Day, last: Day) -> int:
        """Return how many sessions the session `last` is after the session `first`. ValueError when one is none."""
        self._reach(min(_day(first), _day(last)))
        return self._position(last) - self._position(first)

    def close(self, session: Day) -> pd.Timestamp:
        """Return when `session` closes, in UTC. ValueError when it is not a session."""
        position = self._position(session)  # first: it makes the calendar reach
        return self._closes.iloc[position]

    def forecast_due(self, session: Day) -> pd.Timestamp:
        """Return when the forecast after `session` is due, in UTC: at 8 o'clock of the next day, where the exchange is."""
        self._position(session)
        morning = (_day(session) + pd.Timedelta(days=1, hours=8)).tz_localize(self._zone)
        return morning.tz_convert("UTC")

    def is_early_close(self, session: Day) -> bool:
        """Return whether `session` closes before the usual time, as on the day after Thanksgiving."""
        self._reach(_day(session))
        return _day(session) in self._early

    def is_last_of_week(self, session: Day) -> bool:
        """Return whether the next session is in another week: on it a training is due."""
        following = self.after(session, 1)
        return bool(following.isocalendar()[:2] != _day(session).isocalendar()[:2])

    def expected_session(self, now: datetime, delay: timedelta = DELAY) -> pd.Timestamp:
        """Return the last session that closed at least `delay` before `now` (with a time zone). ValueError."""
        if now.tzinfo is None:
            raise ValueError("the moment needs a time zone")
        self._reach(pd.Timestamp(now).tz_localize(None) - LONGEST_PAUSE)
        closed = int(self._closes.searchsorted(pd.Timestamp(now) - delay, side="right"))
        if closed == 0:
            raise ValueError(f"the calendar {self.name} begins on {self.first.date()}, after {now:%Y-%m-%d}")
        return self._sessions[closed - 1]

    def _position(self, session: Day) -> int:
        self._reach(_day(session))
        position = int(self._sessions.searchsorted(_day(session)))
        if position == len(self._sessions) or self._sessions[position] != _day(session):
            raise ValueError(f"{_day(session).date()} is not a session of {self.name}")
        return position


@lru_cache(maxsize=4)
def get_calendar(name: str = NEW_YORK, closed: tuple[str, ...] = ()) -> Calendar:
    """Return the calendar, made once in a process: making one takes half a second."""
    return Calendar(name, closed)


def _exchange(name: str, begins: pd.Timestamp) -> Any:
    """Return the calendar of exchange_calendars, from `begins` or from where it begins."""
    try:
        return exchange_calendars.get_calendar(name, start=begins)
    except ValueError:  # its holidays are known from a later day only
        return exchange_calendars.get_calendar(name, start=type(exchange_calendars.get_calendar(name)).bound_min())


def _day(day: Day) -> pd.Timestamp:
    return pd.Timestamp(day).normalize()
