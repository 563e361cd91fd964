"""Baselines that a model has to beat. Each sees the whole history before the origin, not only the model's context."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

Array = np.ndarray
Baseline = Callable[[Array, int, list[float], int], Array]


def seasonal_naive(history: Array, prediction_length: int, levels: list[float], season: int) -> Array:
    """Repeat the last season, with the quantiles of its own past errors; shape (levels, prediction_length).

    For the step that lies k seasons ahead, the errors are y[t] - y[t - k·season] over the whole history; their empirical
    quantiles are added to the repeated value. This is the strongest of the usual conventions (see the two below): it
    handles skewed and heavy-tailed errors, as conformal prediction with the same residuals would.
    """
    repeated, ahead = _repeat(history, prediction_length, season)
    out = np.empty((len(levels), prediction_length))
    for k in np.unique(ahead):
        errors = _errors(history, int(k) * season, season)
        out[:, ahead == k] = repeated[ahead == k] + np.quantile(errors, levels)[:, None]
    return out


def seasonal_naive_gaussian(history: Array, prediction_length: int, levels: list[float], season: int) -> Array:
    """Repeat the last season, with normal quantiles of width sigma·sqrt(k) for k seasons ahead.

    Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), section 5.5; the convention of
    statsforecast's SeasonalNaive, which the Chronos papers compare with.
    """
    repeated, ahead = _repeat(history, prediction_length, season)
    errors = _errors(history, season, season)
    sigma = float(np.sqrt(np.mean(errors**2)))
    z = np.array([NormalDist().inv_cdf(level) for level in levels])
    return np.asarray(repeated + z[:, None] * sigma * np.sqrt(ahead))


def seasonal_naive_point(history: Array, prediction_length: int, levels: list[float], season: int) -> Array:
    """Repeat the last season, with the same value for every quantile, as GluonTS does for constant forecasts."""
    repeated, _ = _repeat(history, prediction_length, season)
    return np.tile(repeated, (len(levels), 1))


BASELINES: dict[str, Baseline] = {
    "seasonal_naive": seasonal_naive,
    "seasonal_naive_gaussian": seasonal_naive_gaussian,
    "seasonal_naive_point": seasonal_naive_point,
    # The last observation, widening with the square root of the steps ahead: a season of one (FPP3, section 5.5).
    "naive": lambda history, horizon, levels, season: seasonal_naive_gaussian(history, horizon, levels, 1),
}


def _repeat(history: Array, prediction_length: int, season: int) -> tuple[Array, Array]:
    """Return (values, k): the last observed season repeated, and how many seasons ahead each step lies (1, 2, …).

    A missing value of the last season is taken from the season before it, and so on; if all are missing, it is the mean.
    """
    season = min(season, len(history))
    whole = len(history) // season
    seasons = history[len(history) - whole * season :].reshape(whole, season)
    last = seasons[-1].copy()
    for earlier in seasons[-2::-1]:
        if not np.isnan(last).any():
            break
        last = np.where(np.isnan(last), earlier, last)
    last = np.where(np.isnan(last), np.nanmean(history), last)
    steps = np.arange(prediction_length)
    return last[steps % season], steps // season + 1


def _errors(history: Array, lag: int, season: int) -> Array:
    """Return the observed errors of repeating the value `lag` steps back; falls back to shorter lags, then to zero."""
    while lag >= season:
        errors = history[lag:] - history[:-lag]
        errors = errors[~np.isnan(errors)]
        if errors.size:
            return np.asarray(errors)
        lag -= season
    return np.zeros(1)
