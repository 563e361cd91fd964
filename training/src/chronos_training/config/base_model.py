"""A configuration that starts from published weights takes the sizes of that model (its current.json)."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from chronos_training.config.auto import stand_ins
from chronos_training.config.messages import lines_of
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError

SIZES = (
    "patch_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "dropout_rate", "levels", "vocabulary",
    "low_limit", "high_limit",
)  # fmt: skip


def _check_rank(config: TrainingConfig) -> None:
    width = config.model.d_model
    if config.training.method == "lora" and config.training.lora_rank >= width:
        raise ConfigurationError(
            f"training.lora_rank: {config.training.lora_rank} is not a low rank for a model of width {width} "
            f"(model.d_model): at most {width - 1}, usually 8 to 64."
        )


def adopt(config: TrainingConfig, published: dict[str, Any]) -> TrainingConfig:
    """Return `config` with the sizes of the model it starts from. ConfigurationError when the two do not fit.

    AutoGluon takes any Chronos model as it is.
    """
    if config.model.family == "autogluon":
        return config
    name, family, settings = config.model.base or config.model.base_run, published["family"], published["settings"]
    if family != config.model.family:
        raise ConfigurationError(
            f"model.base: {name!r} is a model of family {family}, but model.family is {config.model.family}.",
            hint="Choose a published model of that family.",
        )
    wanted = config.model_dump(mode="json")
    sizes = {key: settings[key] for key in SIZES if settings.get(key) is not None}
    wanted["model"] |= sizes
    left = wanted["automatic"]
    left |= {f"model.{key}": "of the model that it starts from" for key in sizes if f"model.{key}" in left}
    wanted = stand_ins(wanted, {key: reason for key, reason in left.items() if not reason})
    try:
        adopted = TrainingConfig.model_validate(wanted)
    except ValidationError as error:
        lines = " ".join(line for _, line in lines_of(error))
        raise ConfigurationError(f"The configuration does not fit model.base {name!r}: {lines}") from None
    _check_rank(adopted)
    context = None if adopted.automatic.get("model.context_length") == "" else adopted.model.context_length
    for key, have, most in (
        ("model.context_length", context, settings.get("context_length")),
        ("forecast.prediction_length", adopted.forecast.prediction_length, settings.get("longest_prediction")),
    ):
        if most is not None and have is not None and have > most:
            raise ConfigurationError(f"{key}: {have} is more than model.base {name!r} was built for: at most {most}.")
    return adopted
