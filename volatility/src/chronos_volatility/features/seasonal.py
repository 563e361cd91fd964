"""Where a session stands in its week, its month, and before the next holiday, as was known years before.

Only regular holidays count: on 2001-09-10 nobody knew that the exchange would be closed for four days.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd

from chronos_volatility.calendar import NEW_YORK
from chronos_volatility.features.windows import Array

FAR = 20  # sessions: a holiday further away than a month is as good as none
_AHEAD = pd.Timedelta(days=70)


def features(dates: pd.DatetimeIndex, calendar: str = NEW_YORK) -> dict[str, Array]:
    """Return for n sessions the weekday (0 Monday to 4 Friday), and the sessions to month end and to the next holiday.

    sessions_to_month_end is 0 on a month's last session. sessions_to_holiday is 1 on the session before one, at most 20.
    Source: K. French, Stock returns and the weekend effect, Journal of Financial Economics 8 (1980); R. Ariel, High stock
    returns before holidays, Journal of Finance 45 (1990).
    """
    if dates.empty:
        return {name: np.empty(0) for name in ("weekday", "sessions_to_month_end", "sessions_to_holiday")}
    weekdays = pd.date_range(dates[0].replace(day=1), dates[-1] + _AHEAD, freq="B")
    closed = weekdays.isin(_holidays(calendar))
    planned = weekdays[~closed]
    position = planned.searchsorted(dates)
    last_of_month = np.searchsorted(_month(planned), _month(dates), side="right") - 1
    # The first planned session after each holiday: the one before it is one session away from the holiday.
    after = np.searchsorted(planned, weekdays[closed])
    following = np.searchsorted(after, position, side="right")
    ahead = np.append(after, len(planned) + FAR)[following] - position
    return {
        "weekday": dates.dayofweek.to_numpy(np.float64),
        "sessions_to_month_end": np.maximum(last_of_month - position, 0).astype(np.float64),
        "sessions_to_holiday": np.minimum(ahead, FAR).astype(np.float64),
    }


def _month(dates: pd.DatetimeIndex) -> Any:
    return dates.year * 12 + dates.month


@lru_cache(maxsize=4)
def _holidays(calendar: str) -> pd.DatetimeIndex:
    """Return the weekdays on which the exchange's rules close it; days that were announced are not among them."""
    rules = exchange_calendars.get_calendar(calendar).regular_holidays
    if rules is None:  # one that never closes
        return pd.DatetimeIndex([])
    found = rules.holidays(start=pd.Timestamp("1950-01-01"), end=pd.Timestamp("2100-01-01"))
    return pd.DatetimeIndex(found).tz_localize(None).unique()
