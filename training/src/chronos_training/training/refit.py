"""Early stopping that wastes no data: validation windows decide the number of steps, then the model trains on everything.

Two stages. The search trains on everything before the validation windows; validation shows until which step the model
improved. The refit starts from new weights and trains on everything before the held-out part, for as many passes over its
observations as the search had made by that step. From random weights it takes at least half of the configured steps; with
fewer than three validation windows, all of them. More observations mean more steps (Goodfellow et al., Deep Learning, 2016,
algorithm 7.2). Where no step of the search is better than the base model that it began with, that stays as it is. The
refit's checkpoints continue the search's step count and store what the search found, so that a run interrupted in either stage
ends with the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.data.windows import TrainingWindows, ValidationWindows
from chronos_training.families.base import Family
from chronos_training.training import checkpoints, loop
from chronos_training.training.losscurve import LossCurve, Refitted
from chronos_training.training.progress import Progress, log
from chronos_training.training.stopping import StopRequest

FILE = loop.REFIT_FILE
Json = dict[str, Any]
# A refit has at least this share of the configured steps, and it needs at least so many validation windows to take fewer than
# all: less evidence is too weak to stop by. On yearly life expectancies, one window was best at a quarter of 1,200 steps; a
# refit of half of the steps gave 0.91 of seasonal naive, and one of all steps 0.80 (seed 0).
LEAST, WITNESSES = 0.5, 3
# Losses that differ by less count as equal, and the latest step wins. On weekly births 600 steps had the lowest loss by 0.2 %,
# and a refit of 600 gave 0.75 of seasonal naive where 1,200 gave 0.72 (seed 0).
EQUAL = 0.01


@dataclass(frozen=True)
class Search:
    """What the first stage found, as the refit's checkpoints store it: `last` and `found` are steps of the search."""

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
    fingerprint: str,
    progress: Progress,
    stop: StopRequest,
    tell: Callable[[Any], Json | None] | None = None,
) -> tuple[Any, LossCurve, Json | None]:
    """Train a model from `make` as `config` says; return it, its loss curve, and what `tell` returned before a refit.

    `tell` gets the model of the search, which, unlike the refitted one, has not seen the validation windows; its result is
    JSON and is kept in the refit's checkpoints. None without a refit. The rest is as for `loop.train`.
    """
    rest: Json = {"device": device, "folder": folder, "fingerprint": fingerprint, "progress": progress, "stop": stop}
    search = _search_of(folder, fingerprint) if config.training.refit else None
    resumed = 0
    if search is None:
        if config.training.refit:
            log.info("stage 1 of 2: finding the number of steps on validation windows")
        model = make()
        validate = ValidationWindows(panel, config) if config.training.validation_windows else None
        curve = loop.train(model, family, TrainingWindows(panel, config), config, validate=validate, **rest)
        if curve.chosen_step == 0:
            del model
            return make(), curve, None
        if not config.training.refit:
            return model, curve, None
        told = tell(model) if tell is not None else None
        resumed = curve.resumed_from
        search = _search(curve, panel, config, told)
        del model
    again = refit_config(config, search.steps)
    log.info(
        "stage 2 of 2: no improvement after step %d; training on everything before the held-out part for %d steps",
        search.found,
        search.steps,
    )
    model = make()
    windows = TrainingWindows(panel, again)
    curve = loop.train(model, family, windows, again, search=asdict(search), first=search.last, **rest)
    whole = search.curve(curve)
    return model, whole if whole.resumed_from else replace(whole, resumed_from=resumed), search.told


def refit_config(config: TrainingConfig, steps: int) -> TrainingConfig:
    """Return the configuration of the refit: no validation, `steps` steps, and the same share of warmup steps."""
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
    if config.model.initialization == "pretrained":
        least = 0.0  # what few steps can spoil already knows much: even one window is evidence enough to stop
    steps = max(found, config.training.steps * least)
    return Search(curve.last_step, found, max(round(steps * more), 1), losses, validation, told)


def _search_of(folder: Path, fingerprint: str) -> Search | None:
    """Return what the search found, if the newest complete checkpoint belongs to the refit."""
    newest, _ = checkpoints.complete(folder, fingerprint, most=1)
    file = folder / f"checkpoint-{newest[0]}" / FILE if newest else None
    if file is None or not file.is_file():
        return None
    return Search(**json.loads(file.read_text(encoding="utf-8")))
