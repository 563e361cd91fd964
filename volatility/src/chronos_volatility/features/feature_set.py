"""The features of a session, as one table. A row is made of that session's row and the 60 before it, and of nothing after.

A change of any formula is a new VERSION: models name the one that they were fitted on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from chronos_volatility.calendar import NEW_YORK
from chronos_volatility.features import cross_asset, implied, leverage, range_volatility, returns, seasonal
from chronos_volatility.features.prices import aligned, target_prices

VERSION = "1"
LOOKBACK = 61
"""Sessions before a row that it may depend on."""
WARM_UP = 60
"""The first rows of a history, which lack their windows and count for no coverage."""
LEAST_COVERAGE = 0.99

TITLES = {
    "ln_parkinson_1": "the day's range",
    "ln_parkinson_5": "the week's ranges",
    "ln_parkinson_20": "the month's ranges",
    "ln_parkinson_60": "the quarter's ranges",
    "ln_parkinson_overnight_1": "the day's range and overnight gap",
    "ln_parkinson_overnight_5": "the week's ranges and overnight gaps",
    "ln_parkinson_overnight_20": "the month's ranges and overnight gaps",
    "ln_parkinson_overnight_60": "the quarter's ranges and overnight gaps",
    "ln_rv_1": "the day's squared return",
    "ln_rv_5": "the week's squared returns",
    "ln_rv_20": "the month's squared returns",
    "return_1": "the day's return",
    "return_5": "the week's return",
    "return_20": "the month's return",
    "leverage_1": "the day's loss",
    "leverage_5": "the week's loss",
    "leverage_20": "the month's loss",
    "drawdown_60": "the fall from the quarter's high",
    "ln_vix_variance": "the VIX",
    "vix_change": "the change of the VIX",
    "vix_to_mean_20": "the VIX against its month",
    "vix_to_vix3m": "the VIX against the three-month VIX",
    "variance_premium": "the VIX against the month's returns",
    "tlt_return_5": "the week's return of Treasuries",
    "tlt_ln_rv_5": "the week's squared returns of Treasuries",
    "hyg_return_5": "the week's return of high-yield bonds",
    "hyg_ln_rv_5": "the week's squared returns of high-yield bonds",
    "weekday": "the weekday",
    "sessions_to_month_end": "the sessions to the month's end",
    "sessions_to_holiday": "the sessions to a holiday",
}
NAMES = tuple(TITLES)


def compute(
    market: pd.DataFrame,
    macro: pd.DataFrame | None = None,  # noqa: ARG001 - for feature sets that use it
    *,
    target: str,
    first: object = None,
    calendar: str = NEW_YORK,
) -> pd.DataFrame:
    """Return the table features_daily of the sessions of `target`, from the session `first` on if given.

    `market` is curated.market_daily, in any order. Columns: date, feature_set_version, and NAMES (float64, null where a source
    is missing). Sessions before `first` that a row needs are taken from `market`; a row is the same to the last bit, whatever
    `first` is. This feature set uses nothing of `macro`. DataError when `target` has no rows.
    """
    dates = target_prices(market[["date", "symbol", "open", "high", "low", "close", "ret"]], target).dates
    begin = 0 if first is None else int(dates.searchsorted(pd.Timestamp(str(first))))
    used = dates[max(0, begin - LOOKBACK) :]
    near = market[market["date"] >= used[0]] if len(used) else market.iloc[:0]
    own = aligned(near, target, used)
    columns = {
        **range_volatility.features(own),
        **returns.features(own),
        **leverage.features(own),
        **implied.features(own, aligned(near, "VIX", used), aligned(near, "VIX3M", used)),
        **cross_asset.features("tlt", aligned(near, "TLT", used)),
        **cross_asset.features("hyg", aligned(near, "HYG", used)),
        **seasonal.features(used, calendar),
    }
    table = pd.DataFrame({name: columns[name] for name in NAMES}, dtype=np.float64)
    table.insert(0, "feature_set_version", VERSION)
    table.insert(0, "date", used)
    return table[used >= dates[begin]].reset_index(drop=True) if begin < len(dates) else table.iloc[:0]


def coverage(table: pd.DataFrame) -> dict[str, float]:
    """Return for each feature of `table` the share of rows after the warm-up that have it, from 0 to 1."""
    rows = table.iloc[WARM_UP:]
    return {name: float(rows[name].notna().mean()) if len(rows) else 0.0 for name in NAMES if name in rows}


def usable(table: pd.DataFrame, names: tuple[str, ...] = NAMES) -> list[str]:
    """Return those of `names` that at least 99 % of the rows have: a model uses no other."""
    shares = coverage(table)
    return [name for name in names if shares.get(name, 0.0) >= LEAST_COVERAGE]
