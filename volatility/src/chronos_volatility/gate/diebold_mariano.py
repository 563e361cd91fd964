"""Whether one forecast is better than another by more than chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HORIZON = 5
MOST_LAGS = 0.25  # of the sessions
# The 90 % critical value with a bandwidth that is the share b of the sessions (Kiefer and Vogelsang, table 1, Bartlett kernel).
CRITICAL = (1.2816, 1.3040, 0.5135, -0.3386)


def lags_of(difference: Array) -> Array:
    """Return how many autocovariances of differences (n, models) count: float64 (models), whole numbers.

    At least the overlap of five-session labels and the cube root of n; more where the difference is persistent, by the plug-in
    rule of D. Andrews, Econometrica 59 (1991), for the Bartlett kernel and a first-order autoregression.
    """
    sessions = len(difference)
    centred = difference - difference.mean(axis=0)
    power = np.sum(centred[:-1] ** 2, axis=0)
    rho = np.sum(centred[1:] * centred[:-1], axis=0) / np.where(power > 0, power, 1.0)
    rho = np.clip(rho, -0.98, 0.98)
    plugged = 1.1447 * (4 * rho**2 / (1 - rho**2) ** 2 * sessions) ** (1 / 3)
    least = max(HORIZON - 1, np.ceil(sessions ** (1 / 3)))
    return np.asarray(np.minimum(np.ceil(np.maximum(plugged, least)), MOST_LAGS * sessions))


def statistic(champion: Array, challenger: Array) -> Array:
    """Return t of the mean of `champion` - `challenger`: positive when the challenger loses less.

    Losses are (n) or, of many challengers, (n, models) against (n) or (n, models); t has the shape of a row. 0 where they do not
    differ at all. Source: F. Diebold and R. Mariano, Comparing predictive accuracy, Journal of Business & Economic Statistics 13
    (1995), with the variance of W. Newey and K. West, Econometrica 55 (1987). That variance is an estimate, from few independent
    stretches where losses are persistent: with normal critical values chance alone passes twice as often as it should. So t is
    scaled to make 1.28 the 90 % critical value of N. Kiefer and T. Vogelsang, Econometric Theory 21 (2005), who count with it.
    """
    one = champion[:, None] if champion.ndim == 1 and challenger.ndim == 2 else champion
    difference = one - challenger
    table = difference.reshape(len(difference), -1)
    sessions = len(table)
    mean = table.mean(axis=0)
    centred = table - mean
    lags = lags_of(table)
    variance = np.mean(centred**2, axis=0)
    for lag in range(1, int(lags.max()) + 1):
        weight = np.maximum(1 - lag / (lags + 1), 0.0)
        variance = variance + 2 * weight * np.einsum("ij,ij->j", centred[lag:], centred[:-lag]) / sessions
    error = np.sqrt(np.maximum(variance, 0.0) / sessions)
    equal = error <= 1e-15 * np.maximum(np.abs(mean), 1.0)
    critical = np.polynomial.polynomial.polyval((lags + 1) / sessions, CRITICAL)
    found = np.where(equal, 0.0, mean / np.where(equal, 1.0, error) * (CRITICAL[0] / critical))
    return np.asarray(found.reshape(difference.shape[1:]))
