"""Early stopping that throws no data away: the number of steps is found on validation windows, then all is learnt.

Two stages. The search trains on what lies before the validation windows, and validation tells until when the model got
better. The refit begins with new weights and learns everything before the held-out part, for as many passes over
its observations as the search had made by then, and half of the configured steps at least; all of them where there are fewer than
three validation windows. More observations, more steps (Goodfellow et al., Deep Learning, 2016, algorithm 7.2). Its checkpoints go on counting where the search ended and hold what the search found, so that a run that is
interrupted in either stage ends with the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.models import checkpoints, loop
from chronos_training.models.families import Family
from chronos_training.models.losscurve import LossCurve, Refitted
from chronos_training.models.progress import Progress, log
from chronos_training.models.stopping import StopRequest
from chronos_training.models.windows import TrainingWindows, ValidationWindows

FILE = loop.REFIT_FILE
Json = dict[str, Any]
# Share of the configured steps that a refit has at least, and of how many validation windows at least: fewer are too weak a
# witness to stop by. On life expectancies by year, one window was best at a quarter of 1,200 steps; a refit of half of the
# steps gave 0.91 of seasonal naive, and all of them 0.80 (seed 0).
LEAST, WITNESSES = 0.5, 3
# Losses that differ by less are equal: of those, the most steps count. On weekly births 600 steps had the lowest loss by 0.2 %,
# and a refit of 600 gave 0.75 of seasonal naive where 1,200 gave 0.72 (seed 0).
EQUAL = 0.01


@dataclass(frozen=True)
class Search:
    """What the first stage found, as the refit's checkpoints hold it: `last` and `found` are steps of the search."""

    last: int
    found: int
    steps: int
    losses: list[list[float]]
    validation: list[list[float]]
    told: Json | None

    def curve(self, refit: LossCurve) -> LossCurve:
        """Return the loss curve of both stages, the refit's steps after the search's."""
        both = [(int(step), loss, rate) for step, loss, rate in self.losses]
        both += zip((step + self.last for step in refit.steps), refit.losses, refit.learning_rates, strict=True)
        return replace(
            refit,
            steps=[step for step, _, _ in both],
            losses=[loss for _, loss, _ in both],
            learning_rates=[rate for _, _, rate in both],
            resumed_from=self.last + refit.resumed_from if refit.resumed_from else 0,
            last_step=self.last + refit.last_step,
            chosen_step=self.last + refit.chosen_step,
            validation=[(int(step), loss) for step, loss in self.validation],
            refit=Refitted(self.last, self.found, refit.last_step),
        )


def train(
    make: Callable[[], Any],
    family: Family,
    panel: Panel,
    config: TrainingConfig,
    *,
    device: str,
    folder: Path,
    mark: str,
    progress: Progress,
    stop: StopRequest,
    tell: Callable[[Any], Json | None] | None = None,
) -> tuple[Any, LossCurve, Json | None]:
    """Train a model that `make` gives as `config` says; return it, its loss curve, and what `tell` said before a refit.

    `tell` is asked about the model of the search, which has not seen the validation windows as the refitted one has; its
    answer is JSON and is kept in the refit's checkpoints. None without a refit. The rest is as for `loop.train`.
    """
    rest: Json = {"device": device, "folder": folder, "mark": mark, "progress": progress, "stop": stop}
    search = _search_of(folder, mark) if config.training.refit else None
    resumed = 0
    if search is None:
        if config.training.refit:
            log.info("stage 1 of 2: finding the number of steps on validation windows")
        model = make()
        validate = ValidationWindows(panel, config) if config.training.validation_windows else None
        curve = loop.train(model, family, TrainingWindows(panel, config), config, validate=validate, **rest)
        if not config.training.refit:
            return model, curve, None
        told = tell(model) if tell is not None else None
        resumed = curve.resumed_from
        search = _search(curve, panel, config, told)
        del model
    again = refit_config(config, search.steps)
    log.info(
        "stage 2 of 2: no better after step %d; learning all before the held-out part for %d steps",
        search.found,
        search.steps,
    )
    model = make()
    windows = TrainingWindows(panel, again)
    curve = loop.train(model, family, windows, again, search=asdict(search), first=search.last, **rest)
    whole = search.curve(curve)
    return model, whole if whole.resumed_from else replace(whole, resumed_from=resumed), search.told


def refit_config(config: TrainingConfig, steps: int) -> TrainingConfig:
    """Return the configuration of the refit: no validation, `steps` steps, and the same share of them to warm up."""
    how = config.training
    changed = {
        "steps": steps,
        "warmup_steps": min(how.warmup_steps * steps // how.steps, steps - 1),
        "validation_windows": 0,
        "early_stopping_patience": None,
        "refit": False,
    }
    return config.model_copy(update={"training": how.model_copy(update=changed)})


def _search(curve: LossCurve, panel: Panel, config: TrainingConfig, told: Json | None) -> Search:
    best = min(loss for _, loss in curve.validation)
    found = max(step for step, loss in curve.validation if loss <= best + EQUAL * abs(best))
    learnt = int((panel.lengths - config.held_out_length - config.validation_length).sum())
    more = 1 + config.validation_length * len(panel) / learnt
    losses = [list(one) for one in zip(curve.steps, curve.losses, curve.learning_rates, strict=True)]
    validation = [list(one) for one in curve.validation]
    least = LEAST if config.training.validation_windows >= WITNESSES else 1.0
    steps = max(found, config.training.steps * least)
    return Search(curve.last_step, found, max(round(steps * more), 1), losses, validation, told)


def _search_of(folder: Path, mark: str) -> Search | None:
    """Return what the search found when the newest complete checkpoint is one of the refit."""
    newest, _ = checkpoints.complete(folder, mark, most=1)
    file = folder / f"checkpoint-{newest[0]}" / FILE if newest else None
    if file is None or not file.is_file():
        return None
    return Search(**json.loads(file.read_text(encoding="utf-8")))
