"""Bonds: long Treasuries and corporate bonds of low rating, by the funds that hold them."""

from __future__ import annotations

import numpy as np

from chronos_volatility.features.prices import Prices
from chronos_volatility.features.windows import Array, mean_variance, total

WEEK = 5


def features(name: str, prices: Prices) -> dict[str, Array]:
    """Return the log return and ln of the mean squared return of `prices`' last 5 sessions, named after `name`.

    NaN where the fund has no price. Source: C. Christiansen, M. Schmeling and A. Schrimpf, A comprehensive look at financial
    volatility prediction by economic variables, Journal of Applied Econometrics 27 (2012), where bond returns and credit
    spreads are predictors.
    """
    return {
        f"{name}_return_5": total(prices.ret, WEEK),
        f"{name}_ln_rv_5": np.log(mean_variance(prices.ret**2, WEEK)),
    }
