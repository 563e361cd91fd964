"""A Chronos model on local files: what `evaluate` and `forecast` need of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chronos_training.base_models.pretrained import Pretrained, read_pretrained
from chronos_training.cli.levels import must_be_drawn
from chronos_training.config import TrainingConfig
from chronos_training.config.base_model import SIZES
from chronos_training.config.schema import UPSTREAM_LEVELS
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.families.task import Task
from chronos_training.training.spec import TrainingSpec

if TYPE_CHECKING:
    from chronos_training.evaluation.held_out import Forecaster


def forecaster_of(folder: Path, panel: Panel, spec: TrainingSpec) -> Forecaster:
    """Return the model in a folder as a forecaster of held-out windows."""
    from chronos_training.evaluation.model_forecasts import forecast_model
    from chronos_training.families import family as family_of

    family = family_of(spec.config.model.family)
    model = family.load(folder, spec.config).to(spec.device)
    return lambda chunk: forecast_model(family, model, panel, chunk, spec.config, lambda: None)


class ChronosModel:
    """A model in a folder, opened to forecast what comes after a panel."""

    def __init__(self, folder: Path, task: Task | None, targets: Sequence[str]) -> None:
        """`targets` count for a model without a task. ConfigurationError when the folder holds no Chronos model."""
        self._folder, self._found = folder, read_pretrained(folder)
        self.is_assumed = task is None
        self.task = task or Task.assumed(self._found.family, self._found.settings, targets)

    def check(self, horizon: int, levels: Sequence[float]) -> None:
        """Raise ConfigurationError for levels that the model cannot forecast. A longer horizon is rolled out."""
        task = self.task
        if task.samples is not None:
            must_be_drawn(levels, task.levels, task.samples, self._folder)
        elif missing := [level for level in levels if level not in task.levels]:
            raise ConfigurationError(
                f"--levels: {missing[0]:g} is not among the levels that the model in {self._folder} was trained for: "
                f"{', '.join(f'{level:g}' for level in task.levels)}.",
                hint=f"Train a model whose forecast.quantile_levels include {missing[0]:g}.",
            )

    def load(self, device: str, horizon: int, levels: Sequence[float]) -> None:
        """Read the weights. ConfigurationError when they are torn."""
        from chronos_training.families import family as family_of

        self._config = config_of(self.task, self._found, levels)
        self._horizon = horizon
        self._family = family_of(self.task.family)
        self._model = self._family.load(self._folder, self._config).to(device)

    def forecast(self, panel: Panel, at: Sequence[tuple[int, int]]) -> np.ndarray:
        """Return quantiles (places, targets, levels, horizon) after each (item, origin)."""
        from chronos_training.evaluation.model_forecasts import forecast_at

        # A shorter horizon than the learnt one is the begin of it: the same numbers.
        longest = max(self._horizon, self.task.prediction_length)
        found = forecast_at(self._family, self._model, panel, at, self._config, lambda: None, longest)
        return found[..., : self._horizon]


def config_of(task: Task, found: Pretrained, levels: Sequence[float]) -> TrainingConfig:
    """Return the configuration with which a model is evaluated and forecasts `levels`."""
    sizes = {key: found.settings[key] for key in SIZES if found.settings.get(key) is not None}
    wanted: dict[str, Any] = {
        "name": "forecast",
        "dataset": {
            "name": "data",
            "targets": list(task.targets),
            "past_covariates": list(task.past_covariates),
            "known_covariates": list(task.known_covariates),
            "missing_values": task.missing_values,
        },
        "forecast": {
            "prediction_length": task.prediction_length,
            "quantile_levels": list(levels),
            "season_length": task.season_length or "auto",
            "minimum": task.minimum,
        },
        "model": {
            "family": task.family,
            "initialization": "pretrained",
            "base": "model",
            "context_length": task.context_length,
            **sizes,
        },
        "training": {"seed": task.seed},
    }
    if task.samples is not None:
        wanted["model"]["samples"] = task.samples
        wanted["model"]["levels"] = sorted({*levels, *UPSTREAM_LEVELS})
    return TrainingConfig.model_validate(wanted)
