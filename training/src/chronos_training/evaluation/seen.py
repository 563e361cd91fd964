"""Which windows of an evaluation the training saw: scores on those say nothing about the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.grid import grid_positions, stamps_at
from chronos_training.data.panel import Panel
from chronos_training.families.task import Task


def seen_windows(task: Task, panel: Panel, config: TrainingConfig) -> int:
    """Return how many windows begin at a time that training saw: in the same series, or in any series if the series is new."""
    if not task.train_end:
        return 0
    first, ends = grid_positions(panel.starts, panel.freq), task.ends_of(panel)
    begin = panel.lengths - config.held_out_length
    return sum(
        int((stamps_at(first.number + begin + w * config.stride, first.phase, panel.freq) <= ends).sum())
        for w in range(config.evaluation.windows)
    )


def must_be_of(task: Task, config: TrainingConfig, folder: Path) -> None:
    """Refuse an evaluation that the model was not trained for. ConfigurationError names the first key."""
    data, forecast = config.dataset, config.forecast
    for key, wanted, has in (
        ("targets", data.targets, task.targets),
        ("past_covariates", data.past_covariates, task.past_covariates),
        ("known_covariates", data.known_covariates, task.known_covariates),
    ):
        if tuple(wanted) != tuple(has):
            raise ConfigurationError(
                f"dataset.{key} is {', '.join(wanted) or 'empty'}, but the model in {folder} was trained with "
                f"{', '.join(has) or 'none'}."
            )
    if forecast.prediction_length > task.prediction_length:
        raise ConfigurationError(
            f"forecast.prediction_length is {forecast.prediction_length}, but the model in {folder} was trained for "
            f"{task.prediction_length}."
        )


def must_be_unseen(task: Task, panel: Panel, config: TrainingConfig, *, allowed: bool) -> dict[str, object] | None:
    """Return a record of the windows that training saw, or None. ConfigurationError unless `allowed`."""
    count, windows = seen_windows(task, panel, config), config.evaluation.windows * len(panel)
    if not count:
        return None
    sentence = f"The model was trained up to {_until(task, panel)}, and saw {count:,} of these {windows:,} windows"
    if not allowed:
        raise ConfigurationError(
            f"{sentence}: windows from then on are held out. Scores on the others say nothing about the future.",
            hint="Lower evaluation.windows (or stride), or score them anyway with --windows-of-training.",
        )
    return {
        "windows": count,
        "of": windows,
        "train_end": task.end_of(panel),
        "sentence": f"{sentence}: these scores are not from held-out windows and say nothing about the future.",
    }


def base_must_not_have_seen(task: Task, panel: Panel, config: TrainingConfig) -> None:
    """Refuse a training whose base model has seen its held-out windows. ConfigurationError says how many.

    `task` is the training's own: it ends before the held-out part, unless an earlier training of the weights ended later.
    """
    count, windows = seen_windows(task, panel, config), config.evaluation.windows * len(panel)
    if count:
        raise ConfigurationError(
            f"The base model was trained up to {_until(task, panel)}, and saw {count:,} of the {windows:,} windows "
            "that this training holds out: their scores would say nothing about the future.",
            hint="Lower evaluation.windows (or stride), or start from a model that was trained before them.",
        )


def _until(task: Task, panel: Panel) -> str:
    return str(np.datetime64(task.end_of(panel), "s")).removesuffix("T00:00:00").replace("T", " ")
