"""Realized variance of daily returns, and the returns themselves."""

from __future__ import annotations

import numpy as np

from chronos_volatility.features.prices import Prices
from chronos_volatility.features.windows import Array, mean_variance, total

LENGTHS = (1, 5, 20)


def features(prices: Prices) -> dict[str, Array]:
    """Return ln of the mean squared return, and the log return, of the last 1, 5 and 20 sessions.

    ln_rv_n = ln(Σ ret² / n). Source: T. Andersen, T. Bollerslev, F. Diebold and P. Labys, Modeling and forecasting realized
    volatility, Econometrica 71 (2003), here of daily returns. return_n = Σ ret.
    """
    squared = prices.ret**2
    found = {f"ln_rv_{length}": np.log(mean_variance(squared, length)) for length in LENGTHS}
    return found | {f"return_{length}": total(prices.ret, length) for length in LENGTHS}
