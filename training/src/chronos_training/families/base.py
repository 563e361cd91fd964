"""What a family has to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.windows import Window

Array = np.ndarray


@dataclass(frozen=True)
class History:
    """What is known at an origin: `target` (targets, length), `past` (columns, length), `known` (columns, length + horizon).

    All float32. `levels` (targets,) were taken off the targets in float64; forecasts have to get them again.
    """

    target: Array
    past: Array
    known: Array
    levels: Array | float = 0.0


class Family(Protocol):
    """One Chronos family. Models are upstream's classes, folders are upstream's format."""

    @property
    def label_names(self) -> Sequence[str]:
        """Keys of a batch without which the model gives no loss."""

    @property
    def lora_modules(self) -> Sequence[str]:
        """Ends of the names of the modules that low-rank additions are made to."""

    def build(self, config: TrainingConfig) -> Any:
        """Return a model with random weights of the configured size."""

    def load(self, folder: Path, config: TrainingConfig) -> Any:
        """Return the model in a folder. ConfigurationError when it is none of this family, or does not fit."""

    def collate(self, config: TrainingConfig, windows: Sequence[Window]) -> dict[str, Any]:
        """Return one batch for the model's forward, labels included."""

    def while_training(self, model: Any, config: TrainingConfig) -> AbstractContextManager[None]:
        """Return a context in which the model computes the loss of this family's batches, perhaps sooner than upstream's."""

    def save(self, model: Any, folder: Path) -> None:
        """Write the model so that upstream's `from_pretrained(folder)` loads it, wherever the folder is moved."""

    def predict(
        self, model: Any, histories: Sequence[History], config: TrainingConfig, check: Callable[[], None]
    ) -> Array:
        """Return quantiles (histories, targets, levels, horizon), those of upstream's pipeline; `check` between batches."""


def loaded(load: Callable[[], Any], folder: Path, what: str) -> Any:
    """Return what `load` gives. ConfigurationError when the folder does not hold that."""
    try:
        return load()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AssertionError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{folder} is not a {what} model that can be loaded: {said}") from error


def must_agree(folder: Path, **pairs: tuple[Any, Any]) -> None:
    """Raise ConfigurationError for the first key whose configured value is not the model's."""
    for key, (configured, has) in pairs.items():
        if configured != has:
            name = f"model.{key}"
            raise ConfigurationError(f"{name} is {configured}, but the model in {folder} has {has}.")


def at_most(folder: Path, key: str, configured: int, most: int) -> None:
    """Raise ConfigurationError when a length is more than the model was made for."""
    if configured > most:
        raise ConfigurationError(f"{key} is {configured}, but the model in {folder} was built for at most {most}.")


def core(model: Any) -> Any:
    """Return upstream's model, which low-rank additions may lie around."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def left_padded(blocks: Sequence[Array]) -> torch.Tensor:
    """Return blocks (rows, length) below each other, float32, filled up at the left with NaN to the longest."""
    longest = max(block.shape[1] for block in blocks)
    out = np.full((sum(len(block) for block in blocks), longest), np.nan, dtype=np.float32)
    row = 0
    for block in blocks:
        out[row : row + len(block), longest - block.shape[1] :] = block
        row += len(block)
    return torch.from_numpy(out)


def brought(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor on the device, without waiting for what a GPU has still to do."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def batches(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return the items in runs of `size`."""
    return [items[begin : begin + size] for begin in range(0, len(items), size)]
