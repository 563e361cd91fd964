"""Does a configuration fit the declared device? Decided before anything is created."""

from __future__ import annotations

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError


def check_device(config: TrainingConfig, device: str) -> None:
    """Raise ConfigurationError when `device` (cpu or cuda) cannot do what `config` says."""
    if config.training.precision == "fp16" and device == "cpu":
        raise ConfigurationError(
            "training.precision: fp16 needs a GPU, but the device is cpu.",
            hint="Leave it at auto, or use fp32 or bf16.",
        )
