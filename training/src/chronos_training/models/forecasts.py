"""Held-out forecasts as arrays, and where their origins lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_training.config.schema import TrainingConfig

Array = np.ndarray
MODEL = "model"


@dataclass(frozen=True)
class Forecasts:
    """Held-out forecasts of one panel.

    `origins[i][w]` is the position of the first forecast observation of window w in series i; `actual` has the shape
    (series, windows, horizon), each entry of `quantiles` (by forecaster) (series, windows, levels, horizon).
    """

    levels: list[float]
    origins: list[list[int]]
    actual: Array
    quantiles: dict[str, Array]


def origins_of(length: int, config: TrainingConfig) -> list[int]:
    """Return the rolling origins of a series: the last window ends with the series, no origin lies before the held-out part."""
    first = length - config.held_out_length
    return [first + w * config.stride for w in range(config.evaluation.windows)]
