"""Where a backtest went wrong: the dates and series with the model's largest errors, beside those of seasonal naive."""

from __future__ import annotations

from typing import Any

import numpy as np

from chronos_training.data.grid import grid_positions, stamps_at
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Array, Chunk

MOST_DATES, MOST_SERIES = 10, 10


class Backtest:
    """Sums errors by date over all series and origins. A loss is divided by the scale of its series, so that all count alike."""

    def __init__(self, panel: Panel, levels: list[float]) -> None:
        """`panel` is what was forecast, `levels` are the quantile levels."""
        self._panel, self._levels = panel, np.asarray(levels)
        self._days: dict[np.datetime64, Array] = {}  # summed loss of the model, of seasonal naive, observations

    def add(self, chunk: Chunk, scales: Array) -> None:
        """Count a chunk's forecasts; `scales` (rows, windows) is NaN for a series without a scale, which is not counted."""
        items = np.asarray(chunk.rows) // len(self._panel.targets)
        origins = grid_positions(self._panel.starts[items], self._panel.freq).number[:, None] + chunk.origins
        steps = origins[:, :, None] + np.arange(chunk.actual.shape[2])
        there = ~np.isnan(chunk.actual) & ~np.isnan(scales)[:, :, None]
        if not there.any():
            return
        numbers = steps[there]
        days, place = np.unique(
            stamps_at(numbers, np.zeros_like(numbers), self._panel.freq).astype("datetime64[D]"), return_inverse=True
        )
        losses = [self._loss(chunk, name, scales)[there] for name in (MODEL, SEASONAL_NAIVE)]
        sums = [np.bincount(place, weights=values) for values in (*losses, np.ones(len(numbers)))]
        for day, values in zip(days, np.stack(sums, axis=1), strict=True):
            self._days[day] = self._days.get(day, 0.0) + values

    def _loss(self, chunk: Chunk, name: str, scales: Array) -> Array:
        q = self._levels[:, None]
        apart = chunk.actual[:, :, None] - chunk.quantiles[name]
        return np.asarray(2 * np.maximum(q * apart, (q - 1) * apart).mean(axis=2) / scales[:, :, None])

    def worst_dates(self) -> list[dict[str, Any]]:
        """Return the dates with the model's largest mean loss, worst first; dates with few observations are left out.

        `loss` is the mean quantile loss, scaled by series; `usual` is the mean over all dates.
        """
        if not self._days:
            return []
        days, sums = np.array(list(self._days)), np.stack(list(self._days.values()))
        usual = float(sums[:, 0].sum() / sums[:, 2].sum())
        enough = np.flatnonzero(sums[:, 2] >= np.median(sums[:, 2]) / 2)
        means = sums[:, :2] / sums[:, 2:]
        order = enough[np.lexsort((days[enough], -means[enough, 0]))][:MOST_DATES]
        return [
            {
                "date": str(days[i]),
                "observations": int(sums[i, 2]),
                "loss": float(means[i, 0]),
                "seasonal_naive_loss": float(means[i, 1]),
                "usual": usual,
            }
            for i in order
        ]


def worst_series(per_series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the series with the model's largest MASE, worst first, from the entries of `per_series` in the scores."""
    known = [row for row in per_series if row[MODEL]["mase"] is not None]
    return [
        {
            "item_id": row["item_id"],
            "mase": row[MODEL]["mase"],
            "seasonal_naive_mase": row[SEASONAL_NAIVE]["mase"],
            "wql": row[MODEL]["wql"],
            "seasonal_naive_wql": row[SEASONAL_NAIVE]["wql"],
        }
        for row in sorted(known, key=lambda one: (-one[MODEL]["mase"], one["item_id"]))[:MOST_SERIES]
    ]
