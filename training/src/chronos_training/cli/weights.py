"""The weights that a command begins with: a folder, or a base model that comes with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_training.base_models import described, folder_of, is_builtin
from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.config import TrainingConfig, adopt, starting_from
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.manifest import dataset_digest

OF_A_FOLDER = "model"  # the name, in a configuration, of weights that only have a folder


@dataclass(frozen=True)
class Weights:
    """Where weights lie, their sizes, and what the metadata says of them."""

    folder: Path
    settings: dict[str, Any]
    about: dict[str, Any]

    @classmethod
    def of(cls, given: Path | str) -> Weights:
        """Return the weights in a folder, or of `builtin:NAME`. ConfigurationError when there are none."""
        if is_builtin(given):
            found = described(given)
            return cls(folder_of(given), found["settings"], {key: found[key] for key in _ABOUT})
        model = read_pretrained(Path(given))
        about = {
            "name": Path(given).name,
            "family": model.family,
            "digest": dataset_digest(model.files),
            "revision": None,
        }
        return cls(Path(given), model.settings, about)

    @property
    def longest_context(self) -> int | None:
        """The longest history that the model takes, in observations; None when nothing tells."""
        return self.settings.get("context_length")

    def adopted(self, config: TrainingConfig) -> TrainingConfig:
        """Return `config` with the sizes of these weights. ConfigurationError when the two do not fit."""
        return adopt(config, self.about | {"settings": self.settings})


_ABOUT = ("name", "family", "digest", "revision")


def model_folder(given: Path) -> Path:
    """Return the folder of a model that a command line names. ConfigurationError when there is none."""
    if is_builtin(given):
        return folder_of(given)
    if not given.is_dir():
        raise ConfigurationError(f"{given} is not a folder with a model.")
    return given


def with_weights(config: TrainingConfig, given: Path | None) -> TrainingConfig:
    """Return the configuration of a training whose command line gives weights, or none. ConfigurationError when they disagree."""
    model = config.model
    if given is not None and model.initialization == "random":
        if config.automatic.get("model.initialization") is None:
            raise ConfigurationError(
                f"--base-model {given} gives weights to start from, but {config.name} starts from random ones "
                "(model.initialization: random).",
                hint="Leave out one of the two.",
            )
        return starting_from(config, str(given) if is_builtin(given) else OF_A_FOLDER)
    if given is None and model.initialization == "pretrained" and not is_builtin(model.base):
        raise ConfigurationError(
            f"{config.name} starts from pretrained weights, but --base-model gives no folder with them."
        )
    return config
