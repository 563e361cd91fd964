"""What the instance hands to the training process: the run spec, with its configuration checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chronos_training.config.auto import is_resolved
from chronos_training.config.messages import lines_of
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.run_spec import RunSpec, read_file

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class TrainingSpec:
    """One training: the validated configuration, and the run spec that it comes from."""

    config: TrainingConfig
    run: RunSpec

    @property
    def device(self) -> str:
        """Return the declared device."""
        return self.run.device

    @classmethod
    def of(cls, config: TrainingConfig, device: str, **parts: Any) -> TrainingSpec:
        """Return the training of a configuration without a launch; `parts` are further fields of its run spec."""
        return cls(config, RunSpec(device=device, training=config.model_dump(mode="json"), **parts))


def read_spec(path: Path) -> TrainingSpec:
    """Return the training that the run spec in `path` asks for. TrainingError lists what is wrong with it."""
    run = read_file(path)
    try:
        config = TrainingConfig.model_validate(run.training)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: " + " ".join(f"training.{line}" for _, line in lines_of(error))) from None
    if not is_resolved(config):
        keys = ", ".join(key for key, reason in config.automatic.items() if not reason)
        raise ConfigurationError(f"{path}: training.automatic: {keys} have no value yet: the launch chooses them.")
    if run.device not in DEVICES:
        allowed = ", ".join(DEVICES)
        raise ConfigurationError(f"{path}: device: {run.device!r} is not allowed: must be one of: {allowed}.")
    return TrainingSpec(config, run)
