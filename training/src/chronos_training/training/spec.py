"""What the instance hands to the training process: run_spec.json, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chronos_training.config.auto import is_resolved
from chronos_training.config.messages import lines_of
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class RunSpec:
    """One run: the validated configuration, the declared device and the provenance that goes into the metadata."""

    config: TrainingConfig
    device: str
    run_id: str = ""
    env: str = ""
    git_commit: str | None = None
    launched_by: str | None = None
    created_at: str | None = None
    dataset: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] = field(default_factory=dict)
    base_model: dict[str, Any] = field(default_factory=dict)  # empty: from random weights
    resume: dict[str, Any] = field(default_factory=dict)  # empty: from the first step


def read_spec(path: Path) -> RunSpec:
    """Return the run spec in `path`. ConfigurationError lists what is wrong with it."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such run spec.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationError(f"{path}: not a readable run spec: {error}.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("training"), dict):
        raise ConfigurationError(f"{path}: the run spec has no section 'training'.")
    try:
        config = TrainingConfig.model_validate(raw["training"])
    except ValidationError as error:
        raise ConfigurationError(f"{path}: " + " ".join(f"training.{line}" for _, line in lines_of(error))) from None
    if not is_resolved(config):
        keys = ", ".join(key for key, reason in config.automatic.items() if not reason)
        raise ConfigurationError(f"{path}: training.automatic: {keys} have no value yet: the launch chooses them.")
    device = raw.get("device", "cpu")
    if device not in DEVICES:
        raise ConfigurationError(f"{path}: device: {device!r} is not allowed: must be one of: {', '.join(DEVICES)}.")
    return RunSpec(
        config=config,
        device=device,
        run_id=str(raw.get("run_id", "")),
        env=str(raw.get("env", "")),
        git_commit=raw.get("git_commit") or None,
        launched_by=raw.get("launched_by") or None,
        created_at=raw.get("created_at") or None,
        dataset=dict(raw.get("dataset") or {}),
        runtime=dict(raw.get("runtime") or {}),
        instance=dict(raw.get("instance") or {}),
        base_model=dict(raw.get("base_model") or {}),
        resume=dict(raw.get("resume") or {}),
    )
