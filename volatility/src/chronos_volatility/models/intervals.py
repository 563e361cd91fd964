"""How far what came was from what was forecast: intervals by the residuals of the walk-forward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
HORIZON = 5
LEAST_RESIDUALS = 250
_LEAST = 1e-8


def residuals(variance: Array, forecast: Array) -> Array:
    """Return ln(rv_5d / rv_5d_hat) of variances (n) and their forecasts (n)."""
    return np.asarray(0.5 * np.log(np.maximum(variance, _LEAST) / forecast))


def quantiles(variance: Array, forecast: Array, levels: Sequence[float] = LEVELS) -> dict[str, float]:
    """Return by level the factor on rv_5d_hat that this share of the outcomes stayed below."""
    found = np.exp(np.quantile(residuals(variance, forecast), levels))
    return {f"{level:g}": float(factor) for level, factor in zip(levels, found, strict=True)}


def as_known(variance: Array, forecast: Array, levels: Sequence[float] = LEVELS) -> Array:
    """Return the quantiles of rv_5d at each session, by the residuals known then: (n, levels), NaN for the first ones.

    The interval of session t uses the residuals up to t - 5, whose five sessions had ended. That is split conformal prediction
    without exchangeability. Source: R. Barber et al., Conformal prediction beyond exchangeability, Annals of Statistics 51 (2023).
    """
    found = np.full((len(variance), len(levels)), np.nan)
    errors = residuals(variance, forecast)
    ordered = np.sort(errors[:LEAST_RESIDUALS])
    for session in range(LEAST_RESIDUALS + HORIZON, len(variance)):
        newest = errors[session - HORIZON]
        ordered = np.insert(ordered, int(np.searchsorted(ordered, newest)), newest)
        places = np.asarray(levels) * (len(ordered) - 1)
        below = np.floor(places).astype(int)
        above = np.minimum(below + 1, len(ordered) - 1)
        found[session] = ordered[below] + (places - below) * (ordered[above] - ordered[below])
    return np.asarray(np.exp(found) * np.sqrt(forecast)[:, None])


def calibration(variance: Array, bounds: Array, levels: Sequence[float] = LEVELS) -> dict[str, float]:
    """Return by level the share of outcomes below the quantile (n, levels): a calibrated one has its level's."""
    known = np.isfinite(bounds).all(axis=1)
    below = np.sqrt(variance[known])[:, None] <= bounds[known]
    return {f"{level:g}": float(share) for level, share in zip(levels, below.mean(axis=0), strict=True)}
