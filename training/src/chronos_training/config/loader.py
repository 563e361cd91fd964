"""Merges the repository's configuration with the user's and validates the result before anything is created (R15)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chronos_training.config.auto import open_keys, stand_ins
from chronos_training.config.messages import lines_of, nearest, show
from chronos_training.config.reading import read_file
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"  # training/configs in a checkout
BUILT_IN = "built-in default"
LEAST_MINUTES = 0.1  # of AutoGluon

KeyPath = tuple[int | str, ...]


def repository_config(name: str, folder: Path = CONFIGS) -> Path:
    """Return the repository's configuration `training/configs/<name>.yaml`. ConfigurationError names those that exist."""
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    raise ConfigurationError(
        f"There is no configuration {name!r} in {folder}.{nearest(name, known)}",
        hint=f"Known: {', '.join(known) or 'none'}.",
    )


def load_config(paths: list[Path]) -> TrainingConfig:
    """Return the validated configuration: the built-in defaults, then each file of `paths` over the one before.

    Sections merge key by key; a list or a single value replaces the earlier one. An explicit null stands for "empty".
    Keys that follow the data are left open unless the files give them (see config.auto).
    Raises ConfigurationError that lists every problem, one line each: file, key, value, what is allowed, nearest name.
    """
    return load_with_origins(paths)[0]


def load_with_origins(paths: list[Path]) -> tuple[TrainingConfig, dict[str, Path]]:
    """Return the configuration as `load_config` does, and the file that each dotted key was last set in."""
    merged: dict[str, Any] = {}
    origin: dict[KeyPath, Path] = {}
    problems: list[str] = []
    for path in paths:
        try:
            _merge(merged, read_file(path), origin, path, ())
        except ConfigurationError as error:
            problems.append(str(error))
    if not problems:
        try:
            opened = open_keys(merged)
            config = TrainingConfig.model_validate(stand_ins(merged, opened) | _automatic(merged, opened))
            for key, reason in _unmeant(config):
                section, name = key.split(".")
                value, file = getattr(getattr(config, section), name), _origin(origin, (section, name))
                raise ConfigurationError(f"{file}: {key}: {show(value)} is not allowed: {reason}.")
            return config, {".".join(str(part) for part in key): file for key, file in origin.items()}
        except ValidationError as error:
            problems = [f"{_origin(origin, path)}: {line}" for path, line in lines_of(error)]
    raise ConfigurationError(_listed(problems))


def _unmeant(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    """Give (dotted key, why not) for what a program may try and no person can mean; refused in what people write."""
    is_open = config.automatic.get("model.initialization") == ""  # decided when the dataset is known
    if config.training.method == "lora" and config.model.initialization == "random" and not is_open:
        yield (
            "training.method",
            "low-rank additions leave the weights unchanged, and random weights (model.initialization) are useless "
            "without training; use full, or start from pretrained weights",
        )
    if config.model.family == "autogluon" and config.autogluon.time_limit_minutes < LEAST_MINUTES:
        yield "autogluon.time_limit_minutes", f"must be at least {LEAST_MINUTES:g}: no model can be fitted in less"


def _automatic(merged: dict[str, Any], opened: dict[str, str]) -> dict[str, Any]:
    """Return the section `automatic`: what is open, and of a run spec's the reasons for what it gives."""
    before = merged.get("automatic")
    return {"automatic": before | opened if isinstance(before, dict) else opened}


def _listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} problems in the configuration:\n" + "\n".join(f"  - {line}" for line in problems)


def _merge(into: dict[str, Any], new: dict[str, Any], origin: dict[KeyPath, Path], path: Path, at: KeyPath) -> None:
    for key, value in new.items():
        here = (*at, key)
        origin[here] = path
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, path, here)
            continue
        into[key] = value
        if isinstance(value, dict):
            into[key] = {}
            _merge(into[key], value, origin, path, here)


def _origin(origin: dict[KeyPath, Path], at: KeyPath) -> str:
    """Return the file that gave the value at a path, or that gave its section (a rule over several keys)."""
    while at:
        if at in origin:
            return str(origin[at])
        at = at[:-1]
    return BUILT_IN
