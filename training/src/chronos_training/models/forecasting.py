"""Forecasts the held-out windows: the model through upstream's own pipeline, and every baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from chronos import Chronos2Pipeline

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.load import Panel
from chronos_training.models.baselines import BASELINES
from chronos_training.models.forecasts import MODEL, Array, Forecasts, origins_of


def forecast(model: Any, panel: Panel, config: TrainingConfig, check: Callable[[], None]) -> Forecasts:
    """Return the forecasts of the model (through upstream's own pipeline) and of every baseline.

    `check` is called between batches and may raise to end the work.
    """
    horizon, levels = config.forecast.prediction_length, list(config.forecast.quantile_levels)
    season = config.season_length(panel.freq)
    origins = [origins_of(len(series), config) for series in panel.values]
    shape = (len(panel.values), config.evaluation.windows, len(levels), horizon)
    actual = np.stack([[s[o : o + horizon] for o in own] for s, own in zip(panel.values, origins, strict=True)])
    quantiles = {name: np.empty(shape) for name in BASELINES}
    contexts = []
    for i, series in enumerate(panel.values):
        check()
        for w, origin in enumerate(origins[i]):
            history = series[:origin]
            contexts.append(torch.tensor(history[-config.model.context_length :], dtype=torch.float32))
            for name, baseline in BASELINES.items():
                quantiles[name][i, w] = baseline(history, horizon, levels, season)
    predicted = _predict(model, contexts, config, check)
    # A crossing of quantiles is repaired by sorting, which never makes the quantile loss worse (Chernozhukov et al. 2010).
    quantiles[MODEL] = np.sort(predicted.reshape(shape), axis=2)
    return Forecasts(levels, origins, actual, quantiles)


def _predict(model: Any, contexts: list[torch.Tensor], config: TrainingConfig, check: Callable[[], None]) -> Array:
    pipeline = Chronos2Pipeline(model.eval())
    wanted = [config.model_levels.index(level) for level in config.forecast.quantile_levels]
    out = pipeline.predict(
        contexts,
        prediction_length=config.forecast.prediction_length,
        batch_size=config.evaluation.batch_size,
        after_batch=check,
    )
    return np.stack([tensor[0].double().numpy()[wanted] for tensor in out])
