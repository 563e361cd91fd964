"""Whether stored features are those that their session's close gives, and know nothing of what came after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.features import feature_set
from chronos_volatility.models.leaks import Leak
from chronos_volatility.settings import Settings
from chronos_volatility.storage import Storage

SESSIONS = 3
_ROUNDING = 1e-9  # relative: another processor's logarithm


def require_point_in_time(storage: Storage, settings: Settings, features: pd.DataFrame) -> list[pd.Timestamp]:
    """Compute some rows of `features` again from the prices up to their session alone. Leak when one differs.

    The rows are spread over the table, others each week as it grows. Returns their sessions. A price that was corrected, with
    features that were not computed again since, differs too.
    """
    calendar = get_calendar(settings.calendar, settings.closed)
    places = np.linspace(0, len(features) - 1, SESSIONS + 2).astype(int)[1:-1]
    sessions = [pd.Timestamp(features["date"].iloc[place]) for place in np.unique(places)]
    firsts = [calendar.sessions(calendar.first, session)[-feature_set.LOOKBACK - 1 :][0] for session in sessions]
    # Read together: a long range is one object, where each session's own would be dozens.
    market = tables.read(storage, tables.MARKET_DAILY, first=firsts[0], last=sessions[-1])
    for first, session in zip(firsts, sessions, strict=True):
        known = market[(market["date"] >= first) & (market["date"] <= session)].reset_index(drop=True)
        again = feature_set.compute(known, target=settings.target, first=session, calendar=settings.calendar)
        stored = features[features["date"] == session]
        names = [name for name in feature_set.NAMES if name in stored and not _same(again[name], stored[name])]
        if names:
            raise Leak(
                f"{tables.FEATURES}: {', '.join(names)} of {session.date()} is not what the prices up to that session give.",
                hint="Run `volatility features --reason …`; if that does not help, a feature looks ahead.",
            )
    return sessions


def _same(mine: pd.Series, theirs: pd.Series) -> bool:
    one, other = mine.to_numpy(np.float64), theirs.to_numpy(np.float64)
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=_ROUNDING, atol=1e-12, equal_nan=True))
