"""How good forecasts of a variance are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chronos_training.core.errors import DataError

Array = NDArray[np.float64]
LEAST = 1e-8  # a variance of five sessions below it is a price that stood still


def require_real(*, synthetic: bool) -> None:
    """Refuse to score forecasts of prices that were made up. DataError."""
    if synthetic:
        raise DataError(
            "These prices are synthetic, for tests of the contracts: they are never scored.",
            hint="Ingest real prices into a storage of their own.",
        )


def squared_error(variance: Array, forecast: Array) -> Array:
    """Return (sqrt(y) - sqrt(ŷ))², the squared error of the volatility: same shape as `forecast`."""
    return np.asarray((np.sqrt(variance) - np.sqrt(forecast)) ** 2)


def qlike_loss(variance: Array, forecast: Array) -> Array:
    """Return y/ŷ - ln(y/ŷ) - 1, 0 for a perfect forecast: same shape as `forecast`.

    A ranking by its mean is the same as with the unobservable variance itself, because y is an unbiased proxy. Source:
    A. Patton, Volatility forecast comparison using imperfect volatility proxies, Journal of Econometrics 160 (2011).
    """
    ratio = np.maximum(variance, LEAST) / forecast
    return np.asarray(ratio - np.log(ratio) - 1)


def rmse(variance: Array, forecast: Array) -> float:
    """Return the root of the mean squared error of the volatility of five sessions (a log return)."""
    return float(np.sqrt(np.mean(squared_error(variance, forecast))))


def qlike(variance: Array, forecast: Array) -> float:
    """Return the mean QLIKE."""
    return float(np.mean(qlike_loss(variance, forecast)))


def gain(mine: float, other: float) -> float:
    """Return by which share `mine` is lower than `other`: 0.15 is 15 % better."""
    return 1.0 - mine / other


def score(variance: Array, forecast: Array, *, synthetic: bool) -> dict[str, float]:
    """Return rmse, qlike, bias (mean of y/ŷ) and sessions of forecasts (n) of variances (n). DataError for synthetic ones."""
    require_real(synthetic=synthetic)
    if not np.isfinite(forecast).all() or (forecast <= 0).any():
        raise DataError("A forecast of a variance is not a positive number.")
    return {
        "rmse": rmse(variance, forecast),
        "qlike": qlike(variance, forecast),
        "bias": float(np.mean(variance / forecast)),
        "sessions": float(len(variance)),
    }
