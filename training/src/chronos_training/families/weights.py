"""A model ready to learn: its weights, the low-rank additions of method lora, and the whole model again at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import set_seed

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.families.base import Family


def make_model(family: Family, config: TrainingConfig, base: Path | None) -> Any:
    """Return the model that learns: the one in the folder `base`, or one with random weights.

    The configured seed gives the same weights each time. Raises ConfigurationError when pretrained weights are
    configured and there are none, or not of the sizes that the configuration has.
    """
    set_seed(config.training.seed)
    if config.model.initialization == "random":
        return _with_additions(family, family.build(config), config)
    if base is None:
        raise ConfigurationError("model.initialization is pretrained, but --base-model gives no folder with weights.")
    return _with_additions(family, family.load(base, config), config)


def _with_additions(family: Family, model: Any, config: TrainingConfig) -> Any:
    how = config.training
    if how.method == "full":
        return model
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=how.lora_rank,
        lora_alpha=how.lora_alpha,
        lora_dropout=how.lora_dropout,
        target_modules=list(family.lora_modules),
    )
    return get_peft_model(model, settings)


def merged(model: Any, config: TrainingConfig) -> Any:
    """Return the whole model: additions are put into the weights that they belong to, so that nothing else is needed."""
    return model if config.training.method == "full" else model.merge_and_unload()


def parameter_counts(model: Any) -> tuple[int, int]:
    """Return how many numbers the model has, and how many of them learn."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
