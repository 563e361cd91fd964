"""What a configuration says of a dataset and can hardly mean: warnings of the plan and of validate-config."""

from __future__ import annotations

from typing import Any

from chronos_training.config.auto import Facts
from chronos_training.config.model_sections import PATCHED
from chronos_training.config.schema import TrainingConfig

# By judgement: fewer than a dozen batches' windows that do not overlap, or series too few to learn one from the others.
FEW_SERIES = 8
FEW_OBSERVATIONS = 1500


def remarks(config: TrainingConfig, manifest: dict[str, Any]) -> list[str]:
    """Return sentences about what a configuration may say of a dataset and can hardly mean."""
    warning = config.season(manifest).warning
    told = [warning] if warning else []
    longest = int(manifest.get("longest_series", 0))
    if config.model.family != "autogluon" and config.model.context_length >= longest + config.model.patch_size:
        told.append(
            f"model.context_length {config.model.context_length:,} is longer than the longest series ({longest:,} "
            "observations): the rest of every window is padding, which still costs computing time."
        )
    if config.model.family not in PATCHED:
        return told
    return [*told, *_too_small(config, manifest), *_unfit(config, config.season_length(manifest))]


def suggestions(config: TrainingConfig, manifest: dict[str, Any]) -> list[str]:
    """Return sentences about what a configuration leaves out and may be wanted: nothing that a launch has to warn of."""
    lowest = manifest.get("lowest", {})
    if config.forecast.minimum is None and all(lowest.get(target, -1.0) >= 0 for target in config.dataset.targets):
        return [
            "No target of the dataset is below 0, but forecast quantiles may be. If the target cannot be negative, set "
            "forecast.minimum: 0."
        ]
    return []


def _too_small(config: TrainingConfig, manifest: dict[str, Any]) -> list[str]:
    if config.model.initialization != "random" or "items" not in manifest:
        return []
    facts = Facts.of(config, manifest)
    learnt = facts.items * max(facts.usual - config.held_out_length - config.validation_length, 0)
    if learnt >= FEW_OBSERVATIONS and facts.items >= FEW_SERIES:
        return []
    return [
        f"{facts.items:,} series with {learnt:,} observations to train on are few for random weights "
        "(model.initialization): AutoETS and AutoTheta are strong on such data, and pretrained weights need less of "
        "it."
    ]


def _unfit(config: TrainingConfig, season: int) -> list[str]:
    patch, context = config.model.patch_size, config.model.context_length
    if season == 1:
        return []
    told = []
    if season % patch and patch % season:
        told.append(
            f"model.patch_size {patch} neither divides the season of {season} observations nor is a multiple of it: "
            "such models train far worse."
        )
    if context < 2 * season:
        told.append(
            f"model.context_length {context:,} is less than two seasons of {season}: the model never sees a season "
            "repeat."
        )
    return told
