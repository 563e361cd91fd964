"""Accuracy of quantile forecasts. Missing observations (NaN) are not counted.

Shapes: `actual` (rows, windows, horizon); `quantiles` (rows, windows, levels, horizon), levels increasing.

- WQL, weighted quantile loss: sum over levels and observations of 2·pinball, divided by (levels · sum of |actual|).
  Chronos (Ansari et al. 2024, arXiv:2403.07815), as GluonTS' mean_weighted_sum_quantile_loss.
- MASE: mean |actual - median| of a window, divided by the mean |y[t] - y[t - season]| of the history before it; mean over
  windows (Hyndman & Koehler 2006). Empty for a series whose history repeats itself exactly, apart
  from rounding (1e-12 of its size).
- MAE, RMSE: mean absolute and root mean squared error of the median, in the units of the target.
- sMAPE: mean 2·|actual - median| / (|actual| + |median|), from 0 to 2, and 0 where both are zero. As GluonTS' SMAPE.
- Coverage of a level: share of observations at or below that quantile. A calibrated forecast has coverage = level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chronos_training.data.resolution import RESOLUTION, noise

Array = np.ndarray
ROW_METRICS = ("wql", "mase", "mae", "rmse", "smape")


def seasonal_scale(history: Array, season: int) -> float:
    """Return the mean absolute seasonal difference of the history; NaN if it is undefined or only rounding."""
    if len(history) <= season:
        return float("nan")
    apart = np.abs(history[season:] - history[:-season])
    apart = apart[~np.isnan(apart)]
    apart[apart <= noise(history)] = 0.0
    return float(apart.mean()) if apart.size and apart.any() else float("nan")


def median_of(quantiles: Array, levels: Sequence[float]) -> Array:
    """Return the median forecast (rows, windows, horizon), interpolated between levels when 0.5 is not among them."""
    above = int(np.searchsorted(levels, 0.5))
    if above == len(levels) or (above == 0 and levels[0] != 0.5):
        return np.asarray(quantiles[:, :, min(above, len(levels) - 1)])
    if levels[above] == 0.5:
        return np.asarray(quantiles[:, :, above])
    low, high = levels[above - 1], levels[above]
    share = (0.5 - low) / (high - low)
    return np.asarray((1 - share) * quantiles[:, :, above - 1] + share * quantiles[:, :, above])


@dataclass
class Scores:
    """The scores of one forecaster, row by row. Rows are added chunk by chunk, so that no forecast is kept."""

    levels: list[float]
    rows: dict[str, list[Array]] = field(default_factory=lambda: {name: [] for name in ROW_METRICS})
    # By window, (rows, windows): the summed quantile loss, MASE (NaN where undefined), and observations in the interval.
    windows: dict[str, list[Array]] = field(default_factory=lambda: {"loss": [], "mase": [], "inside": []})
    # Sums over rows and windows by step of the horizon: (horizon,), and (levels, horizon) for `covered`.
    loss: Any = 0.0
    weight: Any = 0.0
    error: Any = 0.0
    seen: Any = 0.0
    covered: Any = 0.0

    def add(self, actual: Array, quantiles: Array, scales: Array) -> None:
        """Add some rows. `quantiles` are numbers wherever `actual` is; `scales` (rows, windows) are those of MASE, or NaN."""
        there = ~np.isnan(actual)
        median = median_of(quantiles, self.levels)
        error = np.abs(actual - median)
        q = np.asarray(self.levels)[None, None, :, None]
        apart = actual[:, :, None] - quantiles
        loss = np.nansum(2.0 * np.maximum(q * apart, (q - 1.0) * apart), axis=2)
        weight = np.where(there, np.abs(actual), 0.0)
        total = weight.sum(axis=(1, 2)) * len(self.levels)
        both = np.abs(actual) + np.abs(median)
        share = np.where(both > 0, 2.0 * error / np.where(both > 0, both, 1.0), np.where(there, 0.0, np.nan))
        self.rows["wql"].append(_divided(loss.sum(axis=(1, 2)), total))
        mase = _mean(error, 2) / scales
        inside = (actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, -1]) & there
        lost = loss.sum(axis=2) / len(self.levels)
        # A loss that comes from rounding alone is zero: the forecast is exact.
        self.windows["loss"].append(np.where(lost <= RESOLUTION * weight.sum(axis=2), 0.0, lost))
        self.windows["mase"].append(mase)
        self.windows["inside"].append(inside.sum(axis=2))
        self.rows["mase"].append(_mean(mase, 1))
        self.rows["mae"].append(_mean(error, (1, 2)))
        self.rows["rmse"].append(np.sqrt(_mean(error**2, (1, 2))))
        self.rows["smape"].append(_mean(share, (1, 2)))
        self.loss = self.loss + loss.sum(axis=(0, 1))
        self.weight = self.weight + weight.sum(axis=(0, 1))
        self.error = self.error + np.nansum(error, axis=(0, 1))
        self.seen = self.seen + there.sum(axis=(0, 1))
        self.covered = self.covered + ((actual[:, :, None] <= quantiles) & there[:, :, None]).sum(axis=(0, 1))

    def by_row(self, name: str) -> Array:
        """Return a metric (rows,) in the order in which rows were added, NaN where it is undefined."""
        return np.concatenate(self.rows[name]) if self.rows[name] else np.empty(0)

    def by_window(self, name: str) -> Array:
        """Return the loss, MASE or count `name` of each window, (rows, windows)."""
        return np.concatenate(self.windows[name])

    def aggregate(self) -> dict[str, Any]:
        """Return WQL as the ratio of sums over all rows (large series weigh more, as in the papers), the others as means over the rows.

        `series` has the number of rows for which each is defined.
        """
        total = float(np.sum(self.weight)) * len(self.levels)
        means = {name: number(_mean(self.by_row(name), 0)) for name in ROW_METRICS if name != "wql"}
        seen = float(np.sum(self.seen))
        coverage = [number(value) for value in _divided(np.sum(self.covered, axis=-1), np.full(len(self.levels), seen))]
        defined = {name: int(np.isfinite(self.by_row(name)).sum()) for name in ROW_METRICS}
        wql = float(np.sum(self.loss)) / total if total else None
        return {"wql": wql, **means, "coverage": coverage, "series": defined}

    def by_horizon(self) -> dict[str, list[float | None]]:
        """Return WQL, MAE and the coverage of the outer levels for each step of the horizon."""
        parts = {
            "wql": _divided(self.loss, self.weight * len(self.levels)),
            "mae": _divided(self.error, self.seen),
            "coverage_lowest": _divided(self.covered[0], self.seen),
            "coverage_highest": _divided(self.covered[-1], self.seen),
        }
        return {name: [number(value) for value in values] for name, values in parts.items()}


def number(value: float) -> float | None:
    """Return a number that fits into JSON: None for NaN."""
    return None if np.isnan(value) else float(value)


def _divided(top: Array, bottom: Array) -> Array:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=np.asarray(bottom) != 0))


def _mean(values: Array, axis: Any) -> Any:
    there = ~np.isnan(values)
    return _divided(np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis).astype(float))
