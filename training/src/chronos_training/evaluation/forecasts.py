"""Held-out windows of several series at once, and their forecasts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel

Array = np.ndarray
MODEL, ZERO_SHOT, SEASONAL_NAIVE = "model", "zero_shot", "seasonal_naive"
SEED = "seed_"  # and a number: the model trained with another seed


def origins_of(length: int, config: TrainingConfig) -> list[int]:
    """Return the rolling origins of a series: the last window ends with the series, and no origin lies before the held-out part."""
    first = length - config.held_out_length
    return [first + w * config.stride for w in range(config.evaluation.windows)]


def finished(quantiles: Array, minimum: float | None) -> Array:
    """Return forecasts (…, levels, horizon) as they are stored: quantiles do not cross, and none is below the minimum.

    Crossing quantiles are sorted, which never makes the quantile loss worse (Chernozhukov et al. 2010).
    """
    out = np.sort(quantiles, axis=-2)
    return out if minimum is None else np.maximum(out, minimum)


@dataclass(frozen=True)
class Chunk:
    """The held-out windows of the items `items` of a panel; a row is one target of one item.

    `rows` are the rows' numbers in the panel, `origins` (rows, windows) positions of the first forecast observation,
    `actual` (rows, windows, horizon), `histories[r][w]` everything before an origin; each entry of `quantiles` (by
    forecaster) has the shape (rows, windows, levels, horizon). `sampled` (rows,) has, for a forecaster that does not forecast
    all rows, those that it does; the others are NaN.
    """

    items: range
    rows: range
    origins: Array
    actual: Array
    histories: list[list[Array]]
    quantiles: dict[str, Array] = field(default_factory=dict)
    sampled: dict[str, Array] = field(default_factory=dict)


def chunk_of(panel: Panel, items: range, config: TrainingConfig) -> Chunk:
    """Return the held-out windows of some items, without forecasts."""
    targets, horizon = len(panel.targets), config.forecast.prediction_length
    rows = range(items.start * targets, items.stop * targets)
    origins, actual, histories = [], [], []
    for row in rows:
        values = panel.row_values(row)
        own = origins_of(len(values), config)
        origins.append(own)
        actual.append([values[origin : origin + horizon] for origin in own])
        histories.append([values[:origin] for origin in own])
    return Chunk(items, rows, np.array(origins), np.array(actual, dtype=float), histories)
