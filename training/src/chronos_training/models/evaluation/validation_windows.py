"""Forecasts of the windows before the held-out part: what recalibration and weights of a combination are fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation import metrics
from chronos_training.models.evaluation.forecasts import Array, Chunk, chunk_of
from chronos_training.models.evaluation.recalibration import Fitted, fitted

# Series whose validation windows are looked at, spread evenly over the panel: more move a quantile by less than 1 %.
MOST_SERIES = 2000


@dataclass(frozen=True)
class Seen:
    """What happened in the validation windows, (rows, windows, horizon), what was forecast, and the series' scales."""

    actual: Array
    quantiles: Array
    scales: Array


def before_held_out(panel: Panel, config: TrainingConfig) -> tuple[Panel, TrainingConfig]:
    """Return a panel that ends where the held-out part begins, and the configuration whose windows are the validation's.

    Training never sees the horizons of these windows (see `models.windows.ValidationWindows`).
    """
    own = config.evaluation.model_copy(update={"windows": config.training.validation_windows, "stride": None})
    items = np.unique(np.linspace(0, len(panel) - 1, min(len(panel), MOST_SERIES)).astype(int))
    shorter = replace(panel.only(items), lengths=panel.lengths[items] - config.held_out_length)
    return shorter, config.model_copy(update={"evaluation": own})


def scales_of(chunk: Chunk, season: int) -> Array:
    """Return MASE's scale of each row at each origin, (rows, windows)."""
    return np.array([[metrics.seasonal_scale(history, season) for history in row] for row in chunk.histories])


def recalibrated(
    forecast: Callable[[Panel, TrainingConfig, Chunk], Array], panel: Panel, config: TrainingConfig
) -> Fitted:
    """Return the recalibration of a model by its forecasts of the validation windows.

    `forecast` takes panel, configuration and chunk, and is of a model that has not learnt those windows' horizons.
    """
    how = config.evaluation.recalibrate
    if how == "never":
        return Fitted(None, "Not recalibrated: evaluation.recalibrate is never.")
    if not config.training.validation_windows:
        return Fitted(None, "Not recalibrated: training.validation_windows is 0, and no other windows are unseen.")
    earlier, own = before_held_out(panel, config)
    chunk = chunk_of(earlier, range(len(earlier)), own)
    quantiles = forecast(earlier, own, chunk)
    scales = scales_of(chunk, config.season_length(panel.manifest))
    levels = list(config.forecast.quantile_levels)
    return fitted(quantiles, chunk.actual, scales, levels, always=how == "always")
