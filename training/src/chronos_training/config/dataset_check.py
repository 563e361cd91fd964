"""Does a configuration fit a published dataset? Decided from its manifest alone, before anything is created."""

from __future__ import annotations

from typing import Any

from chronos_training.config.messages import nearest
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError


def check_against_dataset(config: TrainingConfig, manifest: dict[str, Any]) -> None:
    """Raise ConfigurationError that lists everything in which `config` does not fit the dataset of `manifest`."""
    problems: list[str] = []
    name = str(manifest.get("name", ""))
    if name != config.dataset.name:
        problems.append(f"dataset.name: {config.dataset.name!r} is configured, but the manifest belongs to {name!r}.")
    targets = [str(t) for t in manifest.get("target_columns", [])]
    for target in config.dataset.targets:
        if target not in targets:
            problems.append(
                f"dataset.targets: {target!r} is not a target column of dataset {name!r}, "
                f"which has: {', '.join(targets) or 'none'}.{nearest(target, targets)}"
            )
    problems += _covariate_problems(config, manifest, name)
    problems += _batch_problems(config, manifest, name)
    problems += _minimum_problems(config, manifest, name)
    # With short_series: drop, one series that is long enough will do.
    dropping = config.dataset.short_series == "drop"
    shortest = int(manifest.get("longest_series" if dropping else "shortest_series", 0))
    problems += _length_problems(config, name, shortest)
    if not problems:
        problems += _history_problems(config, manifest, name)
    season = config.season_length(manifest)
    shortest_history = shortest - config.held_out_length
    if not problems and shortest_history <= 2 * season:
        problems.append(
            f"forecast.season_length: {season} leaves no season to compare within the {shortest_history} observations "
            f"before the held-out part of dataset {name!r}; at most {max((shortest_history - 1) // 2, 1)} is possible."
        )
    if problems:
        text = (
            problems[0]
            if len(problems) == 1
            else "\n".join([f"{len(problems)} problems with dataset {name!r}:", *(f"  - {line}" for line in problems)])
        )
        raise ConfigurationError(text)


def _history_problems(config: TrainingConfig, manifest: dict[str, Any], name: str) -> list[str]:
    """What `data.usable` would refuse on the instance. Of datasets published before `histories` nothing is known."""
    rules, unseen = config.dataset, config.held_out_length + config.validation_length
    dropping = rules.short_series == "drop"
    problems = []
    for target, found in manifest.get("histories", {}).items():
        if target not in rules.targets:
            continue
        column = f"column {target!r} of dataset {name!r}"
        (fewest, most), first = found["known"], found["first"]
        if (most if dropping else fewest) <= unseen:
            which = "every series" if dropping else f"a series ({first['known']})"
            problems.append(
                f"dataset.short_series: {column} has {which} without a value before the last {unseen} observations, which are "
                f"held out{' or validate' if config.validation_length else ''}. Lower evaluation.windows"
                f"{'' if dropping else ', or set it to drop'}."
            )
            continue
        # A series that is dropped as too short may be the one that counts here: then only the instance can tell.
        dropped = dropping and min(fewest - unseen, _shortest(manifest) - config.shortest_usable_series + 1) <= 0
        fewest, most = found["changed"]
        if rules.constant_series == "refuse" and fewest <= unseen and not dropped:
            problems.append(
                f"dataset.constant_series: refuse, and {column} has a series ({first['changed']}) that never changes "
                "in the train split. Leave it out, or set it to keep or drop."
            )
        if rules.constant_series == "drop" and most <= unseen:
            problems.append(
                f"dataset.constant_series: drop, and no series of {column} changes in the train split: none would be "
                "left."
            )
        if rules.missing_values == "refuse" and found["incomplete"] and not dropped:
            problems.append(
                f"dataset.missing_values: refuse, and {found['incomplete']:,} series of {column} have empty values, the first "
                f"{first['incomplete']}. Fill them, or set it to keep, interpolate or forward_fill."
            )
    return problems


def _shortest(manifest: dict[str, Any]) -> int:
    return int(manifest.get("shortest_series", 0))


def _covariate_problems(config: TrainingConfig, manifest: dict[str, Any], name: str) -> list[str]:
    there = [str(column) for column in manifest.get("columns", {})]
    keys = {str(manifest.get("item_id_column", "")), str(manifest.get("timestamp_column", ""))}
    usable = [column for column in there if column not in keys]
    problems = []
    for key in ("past_covariates", "known_covariates"):
        for column in getattr(config.dataset, key):
            if column not in usable:
                problems.append(
                    f"dataset.{key}: {column!r} is not a column of dataset {name!r}, "
                    f"which has: {', '.join(usable) or 'none'}.{nearest(column, usable)}"
                )
    return problems


def _batch_problems(config: TrainingConfig, manifest: dict[str, Any], name: str) -> list[str]:
    """A window ends at an observation of a target: there are no more different ones than those."""
    rows = int(manifest.get("rows", 0)) * len(config.dataset.targets)
    made = config.training.synthetic_share > 0 or config.training.mixup_share > 0
    if config.model.family == "autogluon" or made or not rows or config.training.batch_size <= rows:
        return []
    return [
        f"training.batch_size: {config.training.batch_size:,} windows per step are more than dataset {name!r} has: at most "
        f"{rows:,}, one for each observation."
    ]


def _minimum_problems(config: TrainingConfig, manifest: dict[str, Any], name: str) -> list[str]:
    minimum = config.forecast.minimum
    lowest = {target: manifest.get("lowest", {}).get(target) for target in config.dataset.targets}
    return [
        f"forecast.minimum: {minimum:g} is more than the lowest value of {target!r} in dataset {name!r}, {value:g}."
        for target, value in lowest.items()
        if minimum is not None and value is not None and value < minimum
    ]


def _length_problems(config: TrainingConfig, name: str, shortest: int) -> list[str]:
    if shortest >= config.shortest_usable_series:
        return []
    horizon, windows = config.forecast.prediction_length, config.evaluation.windows
    if config.model.family == "autogluon":
        return [
            f"forecast.prediction_length: {horizon} needs series of {config.shortest_usable_series} observations, "
            f"{config.held_out_length} of them held out; the longest usable series of dataset {name!r} has "
            f"{shortest}. Lower prediction_length, evaluation.windows or autogluon.validation_windows."
        ]
    unseen = config.held_out_length + config.validation_length
    room = shortest - unseen - horizon
    if config.model.min_context is not None:
        return [
            f"model.min_context: the longest usable series of dataset {name!r} has {shortest} observations, {unseen} "
            f"are held out or validate, {horizon} are the training horizon and {config.model.min_context} the "
            "shortest context: lower one of them."
        ]
    if room < config.model.patch_size:
        return [
            f"forecast.prediction_length: {horizon} with evaluation.windows {windows} holds out {config.held_out_length} "
            f"observations of every series, but the shortest series of dataset {name!r} has {shortest}: "
            "too few remain to train on. Lower prediction_length or windows."
        ]
    patch = config.model.patch_size
    most, wise = room // patch * patch, max(room // 2 // patch, 1) * patch
    origins = room - most + 1
    return [
        f"model.context_length: {config.model.context_length} is longer than the series allow: the shortest series "
        f"of dataset {name!r} has {shortest} observations, {unseen} are held "
        f"out{' or validate' if config.validation_length else ''} and {horizon} are the training horizon. Leave the "
        f"key out (auto), or use {wise} or less: with {most}, the most that fits, that series has {origins} "
        f"{'origin' if origins == 1 else 'origins'} to train on, and is memorized."
    ]
