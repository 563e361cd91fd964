"""The model's own forecasts of held-out windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation.forecasts import Array, Chunk, origins_of
from chronos_training.models.families import Family, History
from chronos_training.models.windows import Cut, fill_missing


def forecast_model(
    family: Family, model: Any, panel: Panel, chunk: Chunk, config: TrainingConfig, check: Callable[[], None]
) -> Array:
    """Return quantiles (rows, windows, levels, horizon). `check` is called between batches and may raise to end the work."""
    cut, windows = Cut.of(config), config.evaluation.windows
    histories = [
        history_at(cut, panel, item, origin)
        for item in chunk.items
        for origin in origins_of(int(panel.lengths[item]), config)
    ]
    found = family.predict(model, histories, config, check)
    # (items, windows, targets, …) to (items, targets, windows, …): one row for each forecast series
    found = found.reshape(len(chunk.items), windows, *found.shape[1:]).swapaxes(1, 2)
    found = found.reshape(len(chunk.rows), windows, *found.shape[3:])
    # A crossing of quantiles is repaired by sorting, which never makes the quantile loss worse (Chernozhukov et al. 2010).
    return np.sort(found, axis=2)


def history_at(cut: Cut, panel: Panel, item: int, origin: int) -> History:
    """Return what is known at an origin: nothing after it but the known covariates."""
    begin, targets, past = max(0, origin - cut.context), len(panel.targets), len(panel.past)
    context = panel.block(item, (*panel.targets, *panel.past, *panel.known), begin, origin)
    if cut.missing != "keep":
        context = fill_missing(context, cut.missing)
    ahead = panel.block(item, panel.known, origin, origin + cut.horizon)
    return History(
        context[:targets], context[targets : targets + past], np.concatenate([context[targets + past :], ahead], axis=1)
    )
