"""The same training with other seeds, to see how much of the comparison is chance: `evaluation.seeds`.

The model that is stored is that of the first seed, whatever the others give: choosing the best by the held-out windows would
make them training data. Each seed has checkpoints of its own, so that a run continues where it was; they are not
stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chronos_training.config.fingerprint import Fingerprint
from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import SEED, Array, Chunk
from chronos_training.evaluation.held_out import Forecaster
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.evaluation.validation_windows import Validated, scales_of, validated
from chronos_training.families import family as family_of
from chronos_training.families import weights
from chronos_training.training import refit
from chronos_training.training.progress import Progress, log
from chronos_training.training.spec import TrainingSpec
from chronos_training.training.stopping import StopRequest

# Its name says to the ending that it is no result.
FOLDER = "seeds.tmp"


def other_seeds(
    spec: TrainingSpec, panel: Panel, output: Path, base: Path | None, progress: Progress, stop: StopRequest
) -> dict[str, Forecaster]:
    """Train with each further seed; return forecasters by name (SEED and the seed), recalibrated as each one's own."""
    found = {}
    for number in range(1, spec.config.evaluation.seeds):
        config = with_seed(spec.config, spec.config.training.seed + number)
        log.info("seed %d, the %d. of %d", config.training.seed, number + 1, spec.config.evaluation.seeds)
        folder = output / FOLDER / f"seed-{config.training.seed}"
        own = replace(spec, config=config)
        found[f"{SEED}{config.training.seed}"] = _trained(own, panel, folder, base, progress, stop)
    return found


def with_seed(config: TrainingConfig, seed: int) -> TrainingConfig:
    """Return the configuration with another seed, and without a combination: the model alone is compared."""
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={"seed": seed % 2**32}),
            "evaluation": config.evaluation.model_copy(update={"combine": []}),
        }
    )


def _trained(
    spec: TrainingSpec, panel: Panel, folder: Path, base: Path | None, progress: Progress, stop: StopRequest
) -> Forecaster:
    config, family = spec.config, family_of(spec.config.model.family)

    def predictor(model: Any) -> Callable[[Panel, TrainingConfig, Chunk], Array]:
        return lambda some, how, chunk: forecast_model(family, model, some, chunk, how, stop.check)

    def validate(model: Any) -> Validated:
        return validated(predictor(model), panel, config, stop.check)

    fingerprint = Fingerprint(config, str(panel.manifest["digest"]), spec.run.base_digest).digest
    model, _, told = refit.train(
        lambda: weights.make_model(family, config, base),
        family,
        panel,
        config,
        device=spec.device,
        folder=folder,
        fingerprint=fingerprint,
        progress=progress,
        stop=stop,
        tell=lambda searched: asdict(validate(weights.merged(searched, config))),
    )
    model = weights.merged(model, config)
    recalibration = (validate(model) if told is None else Validated.of(told)).fitted.recalibration
    season = config.season_length(panel.manifest)

    def forecast(chunk: Chunk) -> Array:
        quantiles = predictor(model)(panel, config, chunk)
        return quantiles if recalibration is None else recalibration.apply(quantiles, scales_of(chunk, season))

    return forecast
