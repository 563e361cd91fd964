"""The linear models: log-HAR on the day's range, and the same with leverage and the VIX.

F. Corsi, A simple approximate long-memory model of realized volatility (2009), in logarithms; leverage at three horizons as
in F. Corsi and R. Renò (2012). Settings were chosen on data before 2007 only: tests/bench/volatility/choices.py tries them again, choices.md is what it found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chronos_training.core.errors import DataError
from chronos_volatility.models.design import LEAST_LABEL, Array, Design
from chronos_volatility.models.serve import Forecaster, LogLinear

RANGE = ("ln_parkinson_1", "ln_parkinson_5", "ln_parkinson_20")
LEVERAGE = ("leverage_1", "leverage_5", "leverage_20")
SLOW = ("ln_parkinson_60", "ln_rv_20")
"""A quarter, for histories too short to tell their level; and returns, for those whose ranges were recorded differently over
the years."""
IMPLIED = ("ln_vix_variance", "vix_change", "vix_to_mean_20")

HALF_LIFE = 1500.0
"""Sessions after which a row of the expanding window counts half."""
TAIL = 0.005
"""Features that are no logarithm of a variance are held within these quantiles of the training rows: a crash shows in the
range and in the VIX, and must not count a third time by a leverage that was never seen."""


def fit_har(design: Design, end: int) -> Forecaster:
    """Fit log-HAR-Parkinson, the fallback, on the first `end` sessions. DataError when they are too few."""
    return _fit("log-har", design, end, RANGE)


def fit_har_x(design: Design, end: int) -> Forecaster:
    """Fit log-HAR-X: with leverage, and with the VIX where 99 % of the sessions have it. DataError."""
    return _fit("log-har-x", design, end, names_x(design, end))


def names_x(design: Design, end: int) -> list[str]:
    """Return the features of log-HAR-X: those that 99 % of the first `end` sessions have, the range always."""
    return [*RANGE, *design.usable((*SLOW, *LEVERAGE, *IMPLIED), end)]


def _fit(name: str, design: Design, end: int, names: Sequence[str]) -> Forecaster:
    return Forecaster(name, tuple(names), fit_linear(design, end, names)[0], seen(design, end))


def seen(design: Design, end: int) -> tuple[float, float]:
    """Return ln of the smallest and the largest label of the first `end` sessions.

    A forecast outside is held there: the "insanity filter" of T. Bollerslev, A. Patton and R. Quaedvlieg, Exploiting the errors,
    Journal of Econometrics 192 (2016).
    """
    known = np.maximum(design.variance[:end], LEAST_LABEL)
    return float(np.log(known.min())), float(np.log(known.max()))


def fit_linear(design: Design, end: int, names: Sequence[str]) -> tuple[LogLinear, Array]:
    """Fit ln variance by weighted least squares; return it, corrected for bias, and its residuals (end), NaN where unused.

    The mean of a log-normal variable is exp(mean + variance / 2) of its logarithm: half the residual variance is added.
    Source: J. Aitchison and J. Brown, The lognormal distribution (1957).
    """
    values = design.columns(names, end)
    used = np.isfinite(values).all(axis=1)
    if used.sum() < 10 * (len(names) + 1):
        raise DataError(
            f"The training set has {int(used.sum())} complete sessions, too few to fit {len(names)} features.",
            hint="Ingest a longer history.",
        )
    rows, target = values[used], np.log(np.maximum(design.variance[:end][used], LEAST_LABEL))
    weights = weights_of(len(rows))
    bounded = np.array([not name.startswith("ln_") for name in names])
    low = np.where(bounded, np.quantile(rows, TAIL, axis=0), -np.inf)
    high = np.where(bounded, np.quantile(rows, 1 - TAIL, axis=0), np.inf)
    rows = np.clip(rows, low, high)
    center = weights @ rows
    scale = np.sqrt(weights @ (rows - center) ** 2)
    scale = np.where(scale > 0, scale, 1.0)
    root = np.sqrt(weights)[:, None]
    middle = float(weights @ target)
    found = np.linalg.lstsq((rows - center) / scale * root, (target - middle) * root[:, 0], rcond=None)[0] / scale
    residuals = np.full(end, np.nan)
    residuals[used] = target - middle - (rows - center) @ found
    half = 0.5 * float(weights @ residuals[used] ** 2)
    return LogLinear(tuple(names), low, high, center, found, middle + half), residuals


def weights_of(count: int) -> Array:
    """Return the weights of `count` sessions, the newest the largest: float64 (count), their sum is 1."""
    weights = 0.5 ** (np.arange(count - 1, -1, -1) / HALF_LIFE)
    return np.asarray(weights / weights.sum())
