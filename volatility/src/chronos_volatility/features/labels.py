"""The label: what a forecast of the next five sessions is measured by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chronos_volatility.features.prices import target_prices

HORIZON = 5


def compute(market: pd.DataFrame, *, target: str) -> pd.DataFrame:
    """Return the table labels_daily: date, rv_5d = sqrt(Σ ret² over t+1 … t+5), only of sessions t whose t+5 has closed.

    `market` is curated.market_daily; a session without a return gives no label to the five before it. Source: T. Andersen
    and T. Bollerslev, Answering the skeptics: yes, standard volatility models do provide accurate forecasts, International
    Economic Review 39 (1998), here from daily returns and without subtracting a mean.
    """
    prices = target_prices(market, target)
    squared = prices.ret**2
    count = max(0, len(squared) - HORIZON)
    summed = np.zeros(count)
    for ahead in range(1, HORIZON + 1):
        summed += squared[ahead : ahead + count]
    table = pd.DataFrame({"date": prices.dates[:count], "rv_5d": np.sqrt(summed)})
    # Five sessions without any move are a price that stood still in the data, not a market without volatility.
    return table[table["rv_5d"] > 0].reset_index(drop=True)
