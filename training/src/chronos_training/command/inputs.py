"""What the commands are given: configurations by name or file, data as a prepared folder or as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chronos_training.config import TrainingConfig, load_config, repository_config
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.manifest import MANIFEST
from chronos_training.data.prepare import prepare


def config_of(names: Sequence[str]) -> TrainingConfig:
    """Return the configuration: each name (of training/configs) or file laid over the one before."""
    paths = []
    for name in names:
        path = Path(name).expanduser()
        is_file = path.suffix in {".yaml", ".yml", ".json"}
        paths.append(path if is_file else repository_config(name))
    return load_config(paths)


def dataset_of(data: str, name: str, targets: Sequence[str], output: Path) -> Path:
    """Return a prepared dataset: the folder `data` when it is one, else what is made of it below `output`."""
    folder = Path(data).expanduser()
    if (folder / MANIFEST).is_file():
        return folder
    made = output / "dataset"
    prepare(data, name, made, targets=tuple(targets))
    return made


def must_be_a_folder(output: Path, what: str) -> None:
    """Refuse an output that is a file: `what` writes a folder. ConfigurationError."""
    if output.exists() and not output.is_dir():
        raise ConfigurationError(f"{output}: there is a file of this name, and {what} needs a folder.")
