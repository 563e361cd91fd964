"""Accuracy of quantile forecasts. Missing observations (NaN) count nowhere.

Shapes: `actual` (windows, horizon); `forecast` (windows, levels, horizon), levels increasing.

- WQL, weighted quantile loss: sum over levels and observations of 2·pinball, divided by (levels · sum of |actual|).
  Chronos (Ansari et al. 2024, arXiv:2403.07815), as GluonTS' mean_weighted_sum_quantile_loss.
- MASE: mean |actual - median| of a window, divided by the mean |y[t] - y[t - season]| of the history before it; mean over
  windows (Hyndman & Koehler 2006). Empty for a series whose history repeats itself exactly.
- MAE: mean |actual - median|, in the units of the target.
- Coverage of a level: share of observations at or below that quantile; a calibrated forecast has coverage = level.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

Array = np.ndarray


def pinball_sum(actual: Array, forecast: Array, levels: Sequence[float]) -> float:
    """Return the sum of 2·pinball over windows, levels and observations."""
    error = actual[:, None, :] - forecast
    q = np.asarray(levels)[None, :, None]
    return float(np.nansum(2.0 * np.maximum(q * error, (q - 1.0) * error)))


def absolute_sum(actual: Array) -> float:
    """Return the sum of |actual|: WQL's denominator for one level."""
    return float(np.nansum(np.abs(actual)))


def wql(actual: Array, forecast: Array, levels: Sequence[float]) -> float | None:
    """Return the weighted quantile loss of one series, or None when all its actual values are zero or missing."""
    weight = absolute_sum(actual)
    return pinball_sum(actual, forecast, levels) / (len(levels) * weight) if weight else None


def median_of(forecast: Array, levels: Sequence[float]) -> Array:
    """Return the median forecast (windows, horizon), interpolated between levels when 0.5 is not among them."""
    out = np.empty((forecast.shape[0], forecast.shape[2]))
    for w in range(forecast.shape[0]):
        for h in range(forecast.shape[2]):
            out[w, h] = np.interp(0.5, levels, forecast[w, :, h])
    return out


def mae(actual: Array, median: Array) -> float | None:
    """Return the mean absolute error of the median, or None without any observation."""
    return mean(np.abs(actual - median).ravel())


def seasonal_scale(history: Array, season: int) -> float | None:
    """Return the mean absolute seasonal difference of the history, or None when it is zero or cannot be formed."""
    if len(history) <= season:
        return None
    scale = mean(np.abs(history[season:] - history[:-season]))
    return scale or None


def mase(actual: Array, median: Array, scales: Sequence[float | None]) -> float | None:
    """Return the mean over windows of MAE / scale, `scales` one for each window; None when no window has one."""
    ratios = []
    for window, scale in enumerate(scales):
        error = mae(actual[window : window + 1], median[window : window + 1])
        if error is not None and scale:
            ratios.append(error / scale)
    return mean(ratios)


def coverage(actual: Array, forecast: Array) -> list[float | None]:
    """Return for each level the share of observations at or below its quantile."""
    seen = ~np.isnan(actual)
    return [mean((actual <= forecast[:, level, :])[seen]) for level in range(forecast.shape[1])]


def mean(values: Iterable[float | None] | Array) -> float | None:
    """Return the mean of what is there, or None."""
    there = np.array([v for v in values if v is not None], dtype=float)
    there = there[~np.isnan(there)]
    return float(there.mean()) if there.size else None


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Return the geometric mean of the positive values that are there, or None."""
    there = [v for v in values if v is not None and v > 0]
    return float(np.exp(np.mean(np.log(there)))) if there else None
