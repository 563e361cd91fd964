"""A predictor of AutoGluon on local files: what `evaluate` and `forecast` need of it. Its library is loaded when one is met."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chronos_training.command.chronos import Forecasts
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.grid import pandas_stamps
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation.held_out import Forecaster
from chronos_training.models.spec import RunSpec


def is_one(folder: Path) -> bool:
    """Return whether a folder is a predictor's."""
    return (folder / "predictor.pkl").is_file()


def forecaster_of(folder: Path, panel: Panel, spec: RunSpec) -> Forecaster:
    """Return the predictor in a folder as a forecaster of held-out windows."""
    from chronos_training.models.autogluon.forecasts import forecaster
    from chronos_training.models.autogluon.training import load_predictor

    predictor = load_predictor(folder, spec.config)
    predictor.persist()
    return forecaster(predictor, panel, spec.config, lambda: None)


def opened(options: argparse.Namespace, levels: list[float]) -> tuple[int, Forecasts]:
    """Return the horizon in observations, and what forecasts (horizon, levels) for each of some (item, table).

    ConfigurationError when the predictor of the command line was made to forecast something else.
    """
    import pandas as pd

    from chronos_training.models.autogluon.forecasts import quantiles
    from chronos_training.models.autogluon.training import open_predictor

    predictor = open_predictor(options.model)
    horizon = predictor.prediction_length
    if options.prediction_length not in (None, horizon):
        raise ConfigurationError(
            f"--prediction-length {options.prediction_length} is not allowed: the predictor in {options.model} forecasts {horizon}."
        )
    missing = [level for level in levels if level not in predictor.quantile_levels]
    if missing:
        known = ",".join(str(level) for level in predictor.quantile_levels)
        raise ConfigurationError(
            f"--levels: {missing[0]} is none of the levels of the predictor in {options.model}: {known}."
        )
    if predictor.target != options.target:
        raise ConfigurationError(
            f"--target {options.target} is not allowed: the predictor in {options.model} forecasts {predictor.target}."
        )
    covariates = [*predictor.known_covariates_names, *predictor._trainer.covariate_metadata.past_covariates]
    if covariates:
        raise ConfigurationError(
            f"The predictor in {options.model} needs {', '.join(covariates)}, and this command reads no covariates.",
            hint="Forecast with AutoGluon's TimeSeriesPredictor.predict.",
        )
    predictor.persist()
    places = [list(predictor.quantile_levels).index(level) for level in levels]

    def forecasts(some: Sequence[Any]) -> list[np.ndarray]:
        table = pd.concat(
            [series.assign(item_id=item)[["item_id", "timestamp", options.target]] for item, series in some]
        )
        table = table.astype({"item_id": str, options.target: float})
        table["timestamp"] = pandas_stamps(table["timestamp"].to_numpy(), predictor.freq)
        found = quantiles(predictor, table, None, [str(item) for item, _ in some])
        return [values[places].T for values in found]

    return horizon, forecasts
