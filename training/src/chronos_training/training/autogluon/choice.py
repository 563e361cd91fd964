"""Which models AutoGluon is to fit: those of the configuration, and Chronos from the weights that were given."""

from __future__ import annotations

import copy
from typing import Any

from autogluon.timeseries.configs import get_hyperparameter_presets, get_predictor_presets

from chronos_training.config.autogluon_section import PRETRAINED_MODELS
from chronos_training.config.schema import TrainingConfig

# The name by which the weights are found: a link in the working folder, so that no path of this machine is stored.
BASE = "chronos-base"
SUFFIXES = {"zero_shot": "ZeroShot", "fine_tuned": "FineTuned"}


def hyperparameters(config: TrainingConfig, base_family: str | None, device: str) -> tuple[dict[str, Any], list[str]]:
    """Return the models with their settings, and sentences about what was left out. `base_family`: of the weights, or None."""
    how, notes = config.autogluon, []
    if how.models is not None:
        models = {name: {} for name in how.models} if isinstance(how.models, list) else copy.deepcopy(how.models)
    else:
        chosen = get_predictor_presets()[how.presets]["hyperparameters"]
        models = copy.deepcopy(get_hyperparameter_presets()[chosen])
        dropped = [name for name in models if name in PRETRAINED_MODELS]
        models = {name: settings for name, settings in models.items() if name not in PRETRAINED_MODELS}
        if dropped:
            notes.append(f"{', '.join(dropped)} of {how.presets} left out: their weights would have to be downloaded.")
    if base_family is not None:
        models |= chronos(config, base_family, device)
    return models, notes


def chronos(config: TrainingConfig, family: str, device: str, ways: list[str] | None = None) -> dict[str, Any]:
    """Return the Chronos models: the given weights as they are, fine-tuned, or both."""
    how = config.autogluon
    tuned: dict[str, Any] = {
        "fine_tune": True,
        "fine_tune_steps": how.fine_tune_steps,
        "fine_tune_lr": how.fine_tune_learning_rate,
        "fine_tune_batch_size": how.fine_tune_batch_size,
        "eval_during_fine_tune": True,  # as AutoGluon's own presets
    }
    if family == "chronos2":
        tuned |= {
            "fine_tune_mode": how.fine_tune_mode,
            "fine_tune_context_length": how.fine_tune_context_length,
        }
    entries = [
        {"model_path": BASE, "device": device, "ag_args": {"name_suffix": SUFFIXES[way]}}
        | (tuned if way == "fine_tuned" else {})
        for way in ways or how.chronos
    ]
    return {"Chronos2" if family == "chronos2" else "Chronos": entries}
