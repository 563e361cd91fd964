"""The fit itself: within the run's time, told of while it lasts, and left with what there is when the end is asked for."""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autogluon.timeseries import TimeSeriesPredictor
from transformers.utils import logging as transformers_logging

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.panel import Panel
from chronos_training.training.autogluon import choice, frames, movable
from chronos_training.training.autogluon.watch import Watch
from chronos_training.training.progress import Progress, log
from chronos_training.training.stopping import Interrupted, Stopped, StopRequest

# Of the run's whole time: evaluation, report and upload come after the fit, and predictions cost what fits do not show.
KEPT_BACK = 0.2


def seconds_for_fit(config: TrainingConfig, passed: float) -> float:
    """Return how long the fit may last when `passed` seconds of the run are gone. TrainingError when nothing is left."""
    whole = config.run.max_runtime_hours * 3600
    left = min(config.autogluon.time_limit_minutes * 60, (1 - KEPT_BACK) * whole - passed)
    if left <= 0:
        raise TrainingError(
            "No time is left for AutoGluon: a fifth of the run is reserved for what follows it.",
            hint="Raise run.max_runtime_hours.",
        )
    return left


def fit(
    predictor: TimeSeriesPredictor,
    panel: Panel,
    config: TrainingConfig,
    models: dict[str, Any],
    seconds: float,
    *,
    work: Path,
    progress: Progress,
    stop: StopRequest,
) -> None:
    """Fit `predictor` and make its folder movable.

    Raises Stopped after SIGTERM (the models fitted by then are in the folder, which loads), TrainingError when none
    could be fitted.
    """
    how = config.autogluon
    more: dict[str, Any] = {}
    if how.validation_windows is not None:
        more["num_val_windows"] = how.validation_windows
    data = frames.learnt(panel, config)
    transformers_logging.disable_progress_bar()
    predictor.save()  # so that a folder that is left by a kill has everything but the unfinished model
    try:
        with Watch(seconds, progress, stop, lambda: _store(predictor)), stop.interrupting(), quiet():
            predictor.fit(
                data,
                presets=how.presets,
                hyperparameters=models,
                time_limit=seconds,
                enable_ensemble=how.ensemble,
                random_seed=config.training.seed,
                **more,
            )
    except Interrupted:
        log.info("stopped; the models fitted so far are kept")
    except (ValueError, TypeError, AssertionError) as error:
        raise TrainingError(
            f"AutoGluon rejected the training settings: {error}", hint="See the section autogluon."
        ) from error
    fitted = predictor.model_names() if predictor.is_fit else []
    if not fitted:
        if stop.requested:
            raise Stopped
        raise TrainingError(
            f"AutoGluon fitted no model within {seconds / 60:.1f} minutes; training.log says why.",
            hint="Raise autogluon.time_limit_minutes, or name other models.",
        )
    _store(predictor)
    movable.take_weights_in(predictor, work)
    movable.strip_path(Path(predictor.path))
    if stop.requested:
        raise Stopped


def _store(predictor: TimeSeriesPredictor) -> None:
    """Write the list of the models fitted so far; AutoGluon itself writes it only at the end of a fit."""
    predictor._learner.save()
    predictor.save()


def new_predictor(folder: Path, panel: Panel, config: TrainingConfig) -> TimeSeriesPredictor:
    """Return a predictor that is not fitted yet; what an earlier start left in its folder goes."""
    shutil.rmtree(folder, ignore_errors=True)
    return TimeSeriesPredictor(
        path=str(folder),
        target=panel.targets[0],
        known_covariates_names=list(panel.known),
        prediction_length=config.forecast.prediction_length,
        freq=panel.freq,
        quantile_levels=list(config.forecast.quantile_levels),
        eval_metric=config.autogluon.eval_metric,
        eval_metric_seasonal_period=config.season_length(panel.manifest),
        log_to_file=False,  # training.log has it
    )


def zero_shot(panel: Panel, config: TrainingConfig, family: str, device: str, work: Path) -> TimeSeriesPredictor:
    """Return a predictor that is nothing but the given Chronos weights."""
    predictor = new_predictor(work / "zero-shot", panel, config)
    with quiet():
        predictor.fit(
            frames.learnt(panel, config),
            hyperparameters=choice.chronos(config, family, device, ["zero_shot"]),
            skip_model_selection=True,
            random_seed=config.training.seed,
        )
    return predictor


@contextlib.contextmanager
def in_folder(work: Path, base: Path | None) -> Iterator[None]:
    """Work in `work`, where the weights are found by their short name: models store the path by which they were given."""
    work.mkdir(parents=True, exist_ok=True)
    if base is not None:
        link = work / choice.BASE
        link.unlink(missing_ok=True)
        link.symlink_to(base.resolve(), target_is_directory=True)
    with contextlib.chdir(work):
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of libraries about each other out of the log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
