"""A predictor's forecasts of held-out windows, in the shape that the evaluation takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from autogluon.timeseries import TimeSeriesPredictor

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import Array, Chunk, finished
from chronos_training.evaluation.held_out import Forecaster
from chronos_training.training.autogluon import frames


def forecaster(
    predictor: TimeSeriesPredictor, panel: Panel, config: TrainingConfig, check: Callable[[], None]
) -> Forecaster:
    """Return the predictor as a forecaster of chunks. `check` is called between windows and may raise."""

    def forecast(chunk: Chunk) -> Array:
        # Window by window: a model that learns across the series of a call must not meet a later window of one of them.
        windows = []
        for origins in chunk.origins.T:
            windows.append(forecast_at(predictor, panel, chunk.items, origins, config))
            check()
        return np.stack(windows, axis=1)

    return forecast


def forecast_at(
    predictor: TimeSeriesPredictor, panel: Panel, items: Sequence[int], origins: Array, config: TrainingConfig
) -> Array:
    """Return quantiles (items, levels, horizon) after an origin of each of some series."""
    data = frames.until(panel, items, origins, config)
    known = frames.ahead(panel, items, origins, config.forecast.prediction_length)
    found = _quantiles(predictor, data, known, [panel.item_ids[item] for item in items])
    return finished(found, config.forecast.minimum)


def _quantiles(predictor: TimeSeriesPredictor, data: object, known: object, items: list[str]) -> Array:
    """Return the forecast (items, levels, horizon) after the end of each series of `data`."""
    table = predictor.predict(data, known_covariates=known, model=predictor.model_best)
    columns = [str(level) for level in predictor.quantile_levels]
    found = {str(item): part[columns].to_numpy().T for item, part in table.groupby(level="item_id", sort=False)}
    return np.stack([found[item] for item in items])
