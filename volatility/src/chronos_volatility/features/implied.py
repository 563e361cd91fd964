"""What options say: the VIX, its change, its place among its last weeks, its term structure, and its premium."""

from __future__ import annotations

import numpy as np

from chronos_volatility.features.prices import Prices
from chronos_volatility.features.returns import features as returns
from chronos_volatility.features.windows import MONTH, Array, mean

SESSIONS_A_YEAR = 252
LEAST_OF_MONTH = 15  # of 20: a day that the VIX lacks costs a day, not a month


def features(target: Prices, vix: Prices, vix3m: Prices) -> dict[str, Array]:
    """Return five features (n), NaN where the VIX (or for the term structure the VIX3M) is missing.

    ln_vix_variance = ln((VIX / 100)² / 252), the daily variance that options price in. Source: Cboe, VIX white paper (2003).
    vix_change = ln(VIX / VIX before). vix_to_mean_20 = ln(VIX / its mean of 20 sessions).
    vix_to_vix3m = ln(VIX / VIX3M): above 0 when the near month is dearer. Source: D. Luo and J. Zhang, The term structure of
    VIX, Journal of Futures Markets 32 (2012).
    variance_premium = ln_vix_variance - ln_rv_20. Source: T. Bollerslev, G. Tauchen and H. Zhou, Expected stock returns and
    variance risk premia, Review of Financial Studies 22 (2009), here as a ratio, since variances are log-normal.
    """
    implied = np.log((vix.close / 100) ** 2 / SESSIONS_A_YEAR)
    return {
        "ln_vix_variance": implied,
        "vix_change": np.log(vix.close) - np.concatenate([[np.nan], np.log(vix.close[:-1])]),
        "vix_to_mean_20": np.log(vix.close / mean(vix.close, MONTH, LEAST_OF_MONTH)),
        "vix_to_vix3m": np.log(vix.close / vix3m.close),
        "variance_premium": implied - returns(target)["ln_rv_20"],
    }
