"""Which session an event is about, and until when its prices are waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pandas as pd

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.calendar import Calendar

GIVE_UP = timedelta(minutes=30)
"""So long before the forecast is due a late source is waited for no longer: somebody can still act."""
LONGEST_TRAINING = timedelta(hours=4, minutes=30)
"""Two hours on Spot, two hours on demand, and what is before and after them."""


class NoSession(ConfigurationError):
    """There is nothing to do: the day that was named is no session or to come, or the last session's forecast was due."""


@dataclass(frozen=True)
class Event:
    """What a function was called with."""

    time: datetime
    """When it was to run, which decides the session. UTC."""
    now: datetime
    """When it does run: the chain tells it, else `time`. What is written carries it."""
    date: pd.Timestamp | None
    """The session, where somebody named it."""
    reason: str | None
    given: Mapping[str, Any]
    """All of it, also what one function alone knows."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Event:
        """Read `{"time": …, "date": …, "now": …, "reason": …}`; only the time must be there. ConfigurationError.

        The chain does not know which of them its own input has: it hands all of it on, as `input`.
        """
        event = {**event.get("input", {}), **event}
        time = _moment(event.get("time"), "time")
        now = _moment(event["now"], "now") if event.get("now") else time
        named = event.get("date") or None
        try:
            day = None if named is None else pd.Timestamp(date.fromisoformat(str(named)))
        except ValueError as error:
            raise ConfigurationError(f"date {named!r} is not a date.", hint="Write it as 2018-12-07.") from error
        return cls(time, now, day, event.get("reason") or None, event)

    def session(self, calendar: Calendar) -> pd.Timestamp:
        """Return the session that this run is for. NoSession when there is none.

        It is the one that was named, or the last one whose prices are due at `time`, as long as its forecast is not: a run
        on a holiday's evening, or on the morning after, finds nothing to do. `{"overdue": true}` takes the last one all the
        same: a person who comes late means it.
        """
        found = self.required_session(calendar)
        if self.date is None and not self.given.get("overdue") and self.time > calendar.forecast_due(found):
            raise NoSession(
                f"The forecast after {found.date()}, the last session, was due at {calendar.forecast_due(found):%Y-%m-%d %H:%M} UTC."
            )
        return found

    def required_session(self, calendar: Calendar) -> pd.Timestamp:
        """Return the session that a step works on: also one whose forecast is overdue. NoSession."""
        if self.date is None:
            return calendar.expected_session(self.time)
        day = self.date.date()
        if not calendar.is_session(self.date):
            raise NoSession(f"{day} is no session of {calendar.name}. Nothing was done.")
        if self.date > calendar.expected_session(max(self.time, self.now)):
            raise NoSession(f"The prices of {day} are not due yet. Nothing was done.")
        return self.date

    def moments(self, calendar: Calendar, session: pd.Timestamp) -> dict[str, datetime]:
        """Return when what ends. All is past for a session of the past: nothing is waited for, and nothing is in a hurry.

        due             the forecast is to be there
        deadline        a late source is waited for no longer
        last_wait       from here on the deadline comes before the end of another wait
        forecast_first  from here on a training may end after `due`, so that the forecast is made before it
        """
        due: datetime = calendar.forecast_due(session).to_pydatetime()
        deadline = due - GIVE_UP
        wait = timedelta(seconds=float(self.given.get("wait_seconds", 0)))
        return {
            "due": due,
            "deadline": deadline,
            "last_wait": deadline - wait,
            "forecast_first": due - LONGEST_TRAINING,
        }

    def looked_at(self, calendar: Calendar) -> datetime:
        """Return the moment that a check looks from: `time`, or when the forecast of the session that was named was due."""
        if self.date is None or not calendar.is_session(self.date):
            return self.time
        due: datetime = calendar.forecast_due(self.date).to_pydatetime()
        return min(self.time, due)


def _moment(text: Any, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ConfigurationError(f"{name} {text!r} is not a time.", hint="Write it as 2018-12-07T23:05:00Z.") from error
    if found.tzinfo is None:
        raise ConfigurationError(f"{name} {text!r} has no time zone.", hint="Write it as 2018-12-07T23:05:00Z.")
    return found.astimezone(timezone.utc)
