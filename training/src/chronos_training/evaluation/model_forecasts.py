"""The model's own forecasts, of held-out windows and of the time after the data, from the same code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.contexts import Cut, narrowed
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import Array, Chunk, finished, origins_of
from chronos_training.evaluation.rollout import rolled_out
from chronos_training.families.base import Family, History


def forecast_model(
    family: Family, model: Any, panel: Panel, chunk: Chunk, config: TrainingConfig, check: Callable[[], None]
) -> Array:
    """Return quantiles (rows, windows, levels, horizon). `check` is called between batches and may raise to stop."""
    windows = config.evaluation.windows
    at = [(item, origin) for item in chunk.items for origin in origins_of(int(panel.lengths[item]), config)]
    found = forecast_at(family, model, panel, at, config, check)
    # (items, windows, targets, …) to (items, targets, windows, …): one row for each series that is forecast
    found = found.reshape(len(chunk.items), windows, *found.shape[1:]).swapaxes(1, 2)
    return found.reshape(len(chunk.rows), windows, *found.shape[3:])


def forecast_at(
    family: Family,
    model: Any,
    panel: Panel,
    at: Sequence[tuple[int, int]],
    config: TrainingConfig,
    check: Callable[[], None],
    horizon: int | None = None,
) -> Array:
    """Return quantiles (places, targets, levels, horizon) after each (item, origin) of `at`.

    The horizon is the configured one; a longer one is rolled out (see `rolled_out`). A quantile does not depend on which others
    are requested: all trained levels are forecast and sorted.
    """
    cut = Cut.of(config, panel.manifest)
    horizon = horizon or cut.horizon
    histories = [history_at(cut, panel, item, origin, horizon) for item, origin in at]
    learnt = config.model_levels
    forecast = config.forecast.model_copy(update={"quantile_levels": learnt})
    whole = config.model_copy(update={"forecast": forecast})
    found = rolled_out(family, model, histories, whole, horizon, check)
    levels = np.stack([np.broadcast_to(one.levels, len(panel.targets)) for one in histories])
    found = finished(found + levels[:, :, None, None], config.forecast.minimum)
    return found[:, :, [learnt.index(level) for level in config.forecast.quantile_levels]]


def history_at(cut: Cut, panel: Panel, item: int, origin: int, horizon: int) -> History:
    """Return what is known at an origin: after it, only the known covariates."""
    targets, known = len(panel.targets), len(panel.known)
    context, levels = cut.history(panel, item, origin)
    ahead = narrowed(panel.block(item, panel.known, origin, origin + horizon), levels[len(levels) - known :])
    context = narrowed(context, levels)
    past_end = len(context) - known
    return History(
        context[:targets],
        context[targets:past_end],
        np.concatenate([context[past_end:], ahead], axis=1),
        levels[:targets],
    )
