"""One symbol's prices on the target's sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.features.windows import Array

COLUMNS = ("open", "high", "low", "close", "ret")


@dataclass(frozen=True)
class Prices:
    """n sessions of one symbol, NaN where it has no row; `ret` is the log total return since the session before."""

    dates: pd.DatetimeIndex
    open: Array
    high: Array
    low: Array
    close: Array
    ret: Array


def target_prices(market: pd.DataFrame, symbol: str) -> Prices:
    """Return the sessions of `symbol` in curated.market_daily `market`. DataError when it has none, or one twice."""
    own = market[market["symbol"] == symbol]
    if own.empty:
        raise DataError(f"curated.market_daily has no rows of {symbol}, the target.")
    dates = pd.DatetimeIndex(own["date"])
    if not dates.is_unique:
        twice = dates[dates.duplicated()][0]
        raise DataError(f"curated.market_daily has {symbol} twice on {twice.date()}.")
    return aligned(market, symbol, dates.sort_values())


def aligned(market: pd.DataFrame, symbol: str, dates: pd.DatetimeIndex) -> Prices:
    """Return the prices of `symbol` on `dates` (n), NaN on those that it lacks."""
    own = market.loc[market["symbol"] == symbol, ["date", *COLUMNS]].set_index("date").reindex(dates)
    values = {name: own[name].to_numpy(np.float64, copy=True) for name in COLUMNS}
    return Prices(dates, **values)
