"""A predictor of AutoGluon on local files: what `evaluate` and `forecast` need of it. Its library is loaded when one is met."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.families.task import Task
from chronos_training.training.spec import TrainingSpec

if TYPE_CHECKING:
    from chronos_training.evaluation.held_out import Forecaster


def is_one(folder: Path) -> bool:
    """Return whether a folder is a predictor's."""
    return (folder / "predictor.pkl").is_file()


def forecaster_of(folder: Path, panel: Panel, spec: TrainingSpec) -> Forecaster:
    """Return the predictor in a folder as a forecaster of held-out windows."""
    from chronos_training.training.autogluon.forecasts import forecaster
    from chronos_training.training.autogluon.training import load_predictor

    predictor = load_predictor(folder, spec.config)
    predictor.persist()
    return forecaster(predictor, panel, spec.config, lambda: None)


class Predictor:
    """A predictor in a folder, opened to forecast what comes after a panel."""

    def __init__(self, folder: Path, task: Task | None) -> None:
        """ConfigurationError when the predictor cannot be loaded."""
        from chronos_training.training.autogluon.training import open_predictor

        self._folder, self._predictor = folder, open_predictor(folder)
        self.task, self.is_assumed = task or _task_of(self._predictor), False

    def check(self, horizon: int, levels: Sequence[float]) -> None:
        """Raise ConfigurationError for a horizon or levels that the predictor was not made for."""
        made_for, learnt = self._predictor.prediction_length, list(self._predictor.quantile_levels)
        if horizon != made_for:
            raise ConfigurationError(
                f"--prediction-length {horizon} is not allowed: the predictor in {self._folder} forecasts {made_for}."
            )
        if missing := [level for level in levels if level not in learnt]:
            raise ConfigurationError(
                f"--levels: {missing[0]:g} is not among the levels of the predictor in {self._folder}: "
                f"{', '.join(f'{level:g}' for level in learnt)}.",
                hint=f"Train a model whose forecast.quantile_levels include {missing[0]:g}.",
            )

    def load(self, device: str, horizon: int, levels: Sequence[float]) -> None:
        """Read the models of the predictor."""
        learnt, task = list(self._predictor.quantile_levels), self.task
        self._places = [learnt.index(level) for level in levels]
        wanted: dict[str, Any] = {
            "dataset": {
                "targets": list(task.targets),
                "past_covariates": list(task.past_covariates),
                "known_covariates": list(task.known_covariates),
                "missing_values": task.missing_values,
            },
            "forecast": {"prediction_length": horizon, "quantile_levels": learnt, "minimum": task.minimum},
            "model": {"family": "autogluon"},
        }
        self._config = TrainingConfig.model_validate(wanted)
        self._predictor.persist()

    def forecast(self, panel: Panel, at: Sequence[tuple[int, int]]) -> np.ndarray:
        """Return quantiles (places, 1, levels, horizon) after each (item, origin)."""
        from chronos_training.training.autogluon.forecasts import forecast_at

        items, origins = [item for item, _ in at], np.array([origin for _, origin in at])
        found = forecast_at(self._predictor, panel, items, origins, self._config)
        return found[:, None, self._places]


def _task_of(predictor: Any) -> Task:
    """Return the task of a predictor of an earlier version, which has none in its folder."""
    return Task(
        family="autogluon",
        freq=str(predictor.freq),
        targets=(predictor.target,),
        past_covariates=tuple(predictor._trainer.covariate_metadata.past_covariates),
        known_covariates=tuple(predictor.known_covariates_names),
        prediction_length=predictor.prediction_length,
        levels=tuple(predictor.quantile_levels),
        season_length=None,
        missing_values="keep",
        minimum=None,
        context_length=0,
        samples=None,
        seed=0,
    )
