"""Variance from the day's range, which says five times as much of a day as its close does."""

from __future__ import annotations

import numpy as np

from chronos_volatility.features.prices import Prices
from chronos_volatility.features.windows import Array, mean_variance

LENGTHS = (1, 5, 20, 60)


def parkinson(prices: Prices) -> Array:
    """Return ln(high / low)² / (4 ln 2), the daily variance by the range: float64 (n).

    Source: M. Parkinson, The extreme value method for estimating the variance of the rate of return, Journal of Business
    53 (1980), equation 8.
    """
    found: Array = np.log(prices.high / prices.low) ** 2 / (4 * np.log(2))
    return found


def overnight(prices: Prices) -> Array:
    """Return ln(open / previous close)², the variance while the exchange is closed: float64 (n), first NaN.

    The close before is the one that the day's total return began at, so that a dividend or split is no gap:
    ln(open / close) + ret. Source: D. Yang and Q. Zhang, Drift-independent volatility estimation based on high, low, open
    and close prices, Journal of Business 73 (2000), whose estimator adds the same term to the trading day's.
    """
    found: Array = (np.log(prices.open / prices.close) + prices.ret) ** 2
    return found


def features(prices: Prices) -> dict[str, Array]:
    """Return ln of the mean daily variance of the last 1, 5, 20 and 60 sessions, without and with the overnight gap.

    The lengths are those of F. Corsi, A simple approximate long-memory model of realized volatility, Journal of Financial
    Econometrics 7 (2009): a day, a week, a month; and a quarter.
    """
    daily = parkinson(prices)
    whole = daily + overnight(prices)
    found = {f"ln_parkinson_{length}": np.log(mean_variance(daily, length)) for length in LENGTHS}
    return found | {f"ln_parkinson_overnight_{length}": np.log(mean_variance(whole, length)) for length in LENGTHS}
