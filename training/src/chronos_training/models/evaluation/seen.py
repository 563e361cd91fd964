"""Which windows of an evaluation a training saw: scores of those tell nothing of the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.grid import places, stamps_at
from chronos_training.data.panel import Panel
from chronos_training.models.task import Task


def seen_windows(task: Task, panel: Panel, config: TrainingConfig) -> int:
    """Return how many of the windows begin at a time that training saw: of the series itself, or of any if it is a new one."""
    if not task.train_end:
        return 0
    first, ends = places(panel.starts, panel.freq), task.ends_of(panel)
    begin = panel.lengths - config.held_out_length
    return sum(
        int((stamps_at(first.number + begin + w * config.stride, first.phase, panel.freq) <= ends).sum())
        for w in range(config.evaluation.windows)
    )


def must_be_of(task: Task, config: TrainingConfig, folder: Path) -> None:
    """Refuse an evaluation of something that the model did not learn. ConfigurationError names the first key."""
    data, forecast = config.dataset, config.forecast
    for key, wanted, has in (
        ("targets", data.targets, task.targets),
        ("past_covariates", data.past_covariates, task.past_covariates),
        ("known_covariates", data.known_covariates, task.known_covariates),
    ):
        if tuple(wanted) != tuple(has):
            raise ConfigurationError(
                f"dataset.{key} is {', '.join(wanted) or 'empty'}, and the model in {folder} was made for "
                f"{', '.join(has) or 'none'}."
            )
    if forecast.prediction_length > task.prediction_length:
        raise ConfigurationError(
            f"forecast.prediction_length is {forecast.prediction_length}, and the model in {folder} learnt "
            f"{task.prediction_length}."
        )


def must_be_unseen(task: Task, panel: Panel, config: TrainingConfig, *, allowed: bool) -> dict[str, object] | None:
    """Return what is to be said of windows that training saw, None where it saw none. ConfigurationError unless `allowed`."""
    count, windows = seen_windows(task, panel, config), config.evaluation.windows * len(panel)
    if not count:
        return None
    sentence = f"The model was trained up to {_until(task, panel)}, and saw {count:,} of these {windows:,} windows"
    if not allowed:
        raise ConfigurationError(
            f"{sentence}: windows from then on are held out. Scores of the others tell nothing of the future.",
            hint="Lower evaluation.windows (or stride), or score them all the same with --windows-of-training.",
        )
    return {
        "windows": count,
        "of": windows,
        "train_end": task.end_of(panel),
        "sentence": f"{sentence}: these scores are not those of held-out windows, and tell nothing of the future.",
    }


def base_must_not_have_seen(task: Task, panel: Panel, config: TrainingConfig) -> None:
    """Refuse a training whose held-out windows were seen by what it starts from. ConfigurationError says how many.

    `task` is the training's own: it ends before the held-out part, unless an earlier training of its weights did not.
    """
    count, windows = seen_windows(task, panel, config), config.evaluation.windows * len(panel)
    if count:
        raise ConfigurationError(
            f"The model to start from was trained up to {_until(task, panel)}, and saw {count:,} of the {windows:,} windows "
            "that this training holds out: their scores would tell nothing of the future.",
            hint="Lower evaluation.windows (or stride), or start from a model that was trained before them.",
        )


def _until(task: Task, panel: Panel) -> str:
    return str(np.datetime64(task.end_of(panel), "s")).removesuffix("T00:00:00").replace("T", " ")
