"""One training by AutoGluon: from the panel to the predictor's folder, its forecasters, and what is told of it."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from autogluon.timeseries import TimeSeriesPredictor

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import MODEL, ZERO_SHOT
from chronos_training.evaluation.held_out import Forecaster
from chronos_training.training import cost
from chronos_training.training.autogluon import board, choice, movable
from chronos_training.training.autogluon.fit import fit, in_folder, new_predictor, seconds_for_fit, zero_shot
from chronos_training.training.autogluon.forecasts import forecaster
from chronos_training.training.progress import Progress, log
from chronos_training.training.spec import TrainingSpec
from chronos_training.training.stopping import StopRequest

# The folder of the fine-tuned Chronos model beside the predictor's: a later run starts from it.
EXPORTED = "{name}-chronos"


def train(
    spec: TrainingSpec, panel: Panel, output: Path, work: Path, base: Path | None, progress: Progress, stop: StopRequest
) -> tuple[dict[str, Forecaster], dict[str, Any]]:
    """Fit, and return the forecasters to compare and the section `model` of the metadata, without its common keys.

    Writes `models/<name>` (the predictor) and, after a fine-tuning, `models/<name>-chronos` (upstream's directory).
    Raises Stopped after SIGTERM, with the models fitted by then on disk.
    """
    config, family = spec.config, base_family(spec, base)
    begun = time.monotonic()
    passed = (datetime.now(timezone.utc) - cost.started_at(datetime.now(timezone.utc))).total_seconds()
    seconds = seconds_for_fit(config, max(0.0, passed))
    models, notes = choice.hyperparameters(config, family, spec.device)
    for note in notes:
        log.info("%s", note)
    progress.phase(
        "training", f"training {config.name}: AutoGluon, at most {seconds / 60:.1f} minutes on {spec.device}"
    )
    folder = (output / "models" / config.name).resolve()
    exported = folder.with_name(EXPORTED.format(name=config.name))
    shutil.rmtree(exported, ignore_errors=True)
    contestants: dict[str, Forecaster] = {}
    with in_folder(work, base):
        fit(
            new_predictor(folder, panel, config),
            panel,
            config,
            models,
            seconds,
            work=work,
            progress=progress,
            stop=stop,
        )
        predictor = TimeSeriesPredictor.load(str(folder))  # what was stored is what is judged
        tuned = movable.export_best_tuned(predictor, exported)
        if family is not None and ZERO_SHOT in config.evaluation.baselines:
            start = zero_shot(panel, config, family, spec.device, work)
            start.persist()  # the weights are read while their name is known
            contestants[ZERO_SHOT] = forecaster(start, panel, config, stop.check)
    rows = board.leaderboard(predictor)
    predictor.persist()
    log.info("best of %d models: %s", len(rows), predictor.model_best)
    about = {
        "presets": config.autogluon.presets,
        "notes": notes,
        "leaderboard": rows,
        "metric": config.autogluon.eval_metric,
        "fit_seconds": round(time.monotonic() - begun, 3),
        "time_limit_seconds": round(seconds, 1),
        "chronos": {"path": f"models/{exported.name}", "family": family, "model": tuned} if tuned else None,
    }
    return {MODEL: forecaster(predictor, panel, config, stop.check)} | contestants, about


def base_family(spec: TrainingSpec, base: Path | None) -> str | None:
    """Return the family of the given weights, None without. ConfigurationError when they are configured and not there."""
    if spec.config.model.initialization == "random":
        return None
    if base is None:
        raise ConfigurationError("model.initialization is pretrained, but --base-model gives no folder with weights.")
    assert spec.run.base_model is not None  # pretrained weights have one
    return spec.run.base_model.family


def load_predictor(folder: Path, config: TrainingConfig) -> TimeSeriesPredictor:
    """Return the predictor in a folder. ConfigurationError when there is none, or it does not forecast what is configured."""
    predictor = open_predictor(folder)
    for key, has, wanted in (
        ("forecast.prediction_length", predictor.prediction_length, config.forecast.prediction_length),
        ("forecast.quantile_levels", list(predictor.quantile_levels), list(config.forecast.quantile_levels)),
        ("dataset.targets", [predictor.target], list(config.dataset.targets)),
        ("dataset.known_covariates", list(predictor.known_covariates_names), list(config.dataset.known_covariates)),
    ):
        if has != wanted:
            raise ConfigurationError(f"{key} is {wanted}, but the predictor in {folder} was built for {has}.")
    return predictor


def open_predictor(folder: Path) -> TimeSeriesPredictor:
    """Return the predictor in a folder. ConfigurationError when there is none that can be loaded."""
    try:
        return TimeSeriesPredictor.load(str(folder))
    except Exception as error:  # whatever is in the pickles of a torn folder
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{folder} is not an AutoGluon predictor that can be loaded: {said}") from error
