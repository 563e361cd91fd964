"""Where the weights come from when a configuration leaves it open: a base model of the package, or random numbers.

Decided before everything else in config.auto, because a base model brings its sizes.
"""

from __future__ import annotations

from typing import Any

from chronos_training.base_models import described, names
from chronos_training.config.auto import Facts
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError

KEY = "model.initialization"
# With fewer distinct windows than this, a base model gives better forecasts than random weights: of 1,140 windows 1.07 of seasonal
# naive instead of 1.42, of 928 0.78 instead of 0.79. With 5,740 and 6,290 it was worse (docs/panels.md).
FEW_WINDOWS = 2_000


def with_initialization(config: TrainingConfig, manifest: dict[str, Any]) -> TrainingConfig:
    """Return `config` with an open `model.initialization` decided for the dataset of `manifest`, and the reason.

    A base model is named in `model.base`; its sizes are still to be adopted. Every other configuration is returned as it is.
    ConfigurationError when low-rank additions are wanted and there is nothing to add them to.
    """
    if config.automatic.get(KEY) != "":
        return config
    name, reason = _choice(config, Facts.of(config, manifest))
    if name is None and config.training.method == "lora":
        raise ConfigurationError(
            f"training.method lora adds to pretrained weights, but there are none to start from: {reason}.",
            hint="Name a published model in model.base, or use training.method full.",
        )
    wanted = config.model_dump(mode="json")
    if name is not None:
        wanted["model"] |= {"initialization": "pretrained", "base": name}
    wanted["automatic"][KEY] = reason
    return TrainingConfig.model_validate(wanted)


def starting_from(config: TrainingConfig, name: str) -> TrainingConfig:
    """Return `config` starting from the weights `name` that somebody gave, whatever it left open."""
    wanted = config.model_dump(mode="json")
    wanted["model"] |= {"initialization": "pretrained", "base": name, "base_run": None}
    wanted["automatic"].pop(KEY, None)
    return TrainingConfig.model_validate(wanted)


def with_context(config: TrainingConfig, length: int) -> TrainingConfig:
    """Return `config` with the context `length` (observations) of a finished model, which does not depend on the data at hand."""
    wanted = config.model_dump(mode="json")
    wanted["model"]["context_length"] = length
    wanted["automatic"].pop("model.context_length", None)
    return TrainingConfig.model_validate(wanted)


def _choice(config: TrainingConfig, facts: Facts) -> tuple[str | None, str]:
    """Return the base model to start from, None for random weights, and why."""
    columns = config.dataset
    if len(columns.targets) > 1 or columns.past_covariates or columns.known_covariates:
        return None, "the base models know one column without covariates"
    base = next((one for one in map(described, names()) if one["family"] == config.model.family), None)
    if base is None:
        return None, f"no base model of family {config.model.family} comes with this package"
    settings, horizon = base["settings"], config.forecast.prediction_length
    if horizon > settings["longest_prediction"]:
        return None, f"{base['name']} forecasts at most {settings['longest_prediction']} observations"
    if missing := [level for level in config.model_levels if level not in settings["levels"]]:
        return None, f"{base['name']} did not learn the quantile {missing[0]:g}"
    model = config.model
    if "model.context_length" not in config.automatic and (
        model.context_length % settings["patch_size"] or model.context_length > settings["context_length"]
    ):
        return None, f"context_length {model.context_length} does not fit the patches or the context of {base['name']}"
    if config.training.method == "lora":
        return str(base["name"]), f"{base['name']}, because low-rank additions need weights to be added to"
    windows = facts.items * max(facts.usual - config.held_out_length - 2 * horizon + 1, 1)
    if windows >= FEW_WINDOWS:
        return None, f"{windows:,} windows are enough to learn from random weights"
    return str(base["name"]), f"{base['name']}, because {windows:,} windows are few to learn from random weights"
