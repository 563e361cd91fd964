"""Chronos-2 from a configuration: upstream's model classes, random weights, and upstream's own directory format."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from chronos import Chronos2Pipeline
from chronos.chronos2 import Chronos2Model
from chronos.chronos2.config import Chronos2CoreConfig
from transformers import set_seed

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError


def build_model(config: TrainingConfig, base: Path | None = None) -> Any:
    """Return a Chronos2Model: the one in the folder `base`, or one with random weights.

    The configured seed gives the same random weights each time. Raises ConfigurationError when pretrained weights are
    configured and there are none, or not of the sizes that the configuration has.
    """
    set_seed(config.training.seed)
    if config.model.initialization == "pretrained":
        return _pretrained(config, base)
    size = config.model
    core = Chronos2CoreConfig(
        d_model=size.d_model,
        d_kv=size.d_kv,
        d_ff=size.d_ff,
        num_layers=size.num_layers,
        num_heads=size.num_heads,
        dropout_rate=size.dropout_rate,
        # upstream's value; with 1.0 the same training ended at WQL 0.081 instead of 0.056
        initializer_factor=0.05,
        architectures=["Chronos2Model"],
        # by this key upstream's generic loader, which AutoGluon uses too, knows the family
        chronos_pipeline_class="Chronos2Pipeline",
        chronos_config={
            "context_length": size.context_length,
            "input_patch_size": size.patch_size,
            "input_patch_stride": size.patch_size,
            "output_patch_size": size.patch_size,
            "max_output_patches": output_patches(config),
            "quantiles": config.model_levels,
            "use_reg_token": True,
            "use_arcsinh": True,
            "time_encoding_scale": size.context_length,
        },
    )
    return Chronos2Model(core)


def _pretrained(config: TrainingConfig, base: Path | None) -> Any:
    if base is None:
        raise ConfigurationError(
            "model.initialization is pretrained, but no folder with weights was given (--base-model)."
        )
    try:
        model = Chronos2Model.from_pretrained(base)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{base} is not a Chronos-2 model that can be loaded: {error}") from error
    patch = model.chronos_config.input_patch_size
    if patch != config.model.patch_size:
        raise ConfigurationError(f"model.patch_size is {config.model.patch_size}, and the model in {base} has {patch}.")
    levels = list(model.chronos_config.quantiles)
    if levels != config.model_levels:
        raise ConfigurationError(f"model.levels are {config.model_levels}, and the model in {base} has {levels}.")
    return model


def output_patches(config: TrainingConfig) -> int:
    """Return how many patches cover the horizon in one forward pass."""
    return math.ceil(config.forecast.prediction_length / config.model.patch_size)


def save_model(model: Any, folder: Path) -> None:
    """Write the model so that `Chronos2Pipeline.from_pretrained(folder)` loads it, wherever the folder is moved."""
    Chronos2Pipeline(model).save_pretrained(folder)


def parameter_count(model: Any) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def collate(config: TrainingConfig, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one batch for `Chronos2Model.forward`: context (B, C) and future_target (B, H), each series its own group."""
    return {
        "context": torch.stack([torch.from_numpy(s["context"]) for s in samples]),
        "future_target": torch.stack([torch.from_numpy(s["future_target"]) for s in samples]),
        "group_ids": torch.arange(len(samples)),
        "num_output_patches": output_patches(config),
    }
