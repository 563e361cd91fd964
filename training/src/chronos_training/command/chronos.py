"""A Chronos model on local files: what `evaluate` and `forecast` need of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chronos import BaseChronosPipeline

from chronos_training.control.pretrained import read_pretrained
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation.held_out import Forecaster
from chronos_training.models.evaluation.model_forecasts import forecast_model
from chronos_training.models.families import family as family_of
from chronos_training.models.spec import RunSpec

Forecasts = Callable[[Sequence[Any]], list[np.ndarray]]


def forecaster_of(folder: Path, panel: Panel, spec: RunSpec) -> Forecaster:
    """Return the model in a folder as a forecaster of held-out windows."""
    family = family_of(spec.config.model.family)
    model = family.load(folder, spec.config).to(spec.device)
    return lambda chunk: forecast_model(family, model, panel, chunk, spec.config, lambda: None)


def opened(options: argparse.Namespace, levels: list[float]) -> tuple[int, Forecasts]:
    """Return the horizon in observations, and what forecasts (horizon, levels) for each of some (item, table)."""
    found = read_pretrained(options.model)
    horizon = options.prediction_length or int(found.settings["longest_prediction"])
    if horizon < 1:
        raise ConfigurationError(f"--prediction-length {horizon} is not allowed: must be 1 or more.")
    pipeline = BaseChronosPipeline.from_pretrained(options.model, device_map=options.device)

    def forecasts(some: Sequence[Any]) -> list[np.ndarray]:
        histories = [torch.tensor(series[options.target].to_numpy(), dtype=torch.float32) for _, series in some]
        quantiles, _ = pipeline.predict_quantiles(histories, prediction_length=horizon, quantile_levels=levels)
        return [np.asarray(values).reshape(-1, horizon, len(levels))[0] for values in quantiles]

    return horizon, forecasts
