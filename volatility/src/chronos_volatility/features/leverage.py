"""What falling prices say about the volatility to come: it rises after losses more than after gains."""

from __future__ import annotations

import numpy as np

from chronos_volatility.features.prices import Prices
from chronos_volatility.features.range_volatility import parkinson
from chronos_volatility.features.windows import Array, mean_variance, total

LENGTHS = (1, 5, 20)
QUARTER = 60


def features(prices: Prices) -> dict[str, Array]:
    """Return the loss of 1, 5 and 20 sessions in units of their range, and the drawdown from the high of 60 closes.

    leverage_n = min(Σ ret, 0) / sqrt(n · mean Parkinson variance), 0 after a gain. Source: F. Corsi and R. Renò, Discrete-time
    volatility forecasting with persistent leverage effect, Journal of Business & Economic Statistics 30 (2012), who add the
    negative returns of a day, a week and a month to the HAR model; F. Black, Studies of stock price volatility changes (1976).
    drawdown_60 = ln(close / highest close of 60 sessions), of the total return.
    """
    daily = parkinson(prices)
    found = {}
    for length in LENGTHS:
        sigma = np.sqrt(length * mean_variance(daily, length))
        found[f"leverage_{length}"] = np.minimum(total(prices.ret, length), 0.0) / sigma
    since = np.zeros(len(prices.ret))  # the return since each earlier close, from the last one backwards
    lowest = np.zeros(len(prices.ret))
    for back in range(QUARTER - 1):
        since = since + np.concatenate([np.full(back, np.nan), prices.ret])[: len(since)]
        lowest = np.minimum(lowest, since)
    found[f"drawdown_{QUARTER}"] = lowest
    return found
