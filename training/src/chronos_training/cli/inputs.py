"""What the commands are given: configurations by name or file, data as a prepared folder or as a source."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chronos_training.config import TrainingConfig, load_config, repository_config
from chronos_training.config.size import GB
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.formats import Format
from chronos_training.data.manifest import MANIFEST
from chronos_training.data.prepare import form_of, must_be_ours, prepare, rules_of
from chronos_training.data.rules import MEANING as RULES
from chronos_training.data.rules import Rules

DATASET = "dataset"  # below a command's output


def config_of(names: Sequence[str]) -> TrainingConfig:
    """Return the configuration: each name (of training/configs) or file overriding the one before."""
    paths = []
    for name in names:
        path = Path(name).expanduser()
        is_file = path.suffix in {".yaml", ".yml", ".json"}
        paths.append(path if is_file else repository_config(name))
    return load_config(paths)


def is_prepared(data: str) -> bool:
    """Return whether `data` is the folder of a prepared dataset."""
    return (Path(data).expanduser() / MANIFEST).is_file()


def must_take_options(options: argparse.Namespace) -> tuple[Rules, Format]:
    """Return the rules and the format of a command line; ConfigurationError when its data take none of them."""
    rules, form = rules_of(options), form_of(options)
    given = [*form.given(), *(name for name in RULES if getattr(options, name) is not None)]
    if given and options.data is None:
        raise ConfigurationError(f"--{given[0].replace('_', '-')} applies to --data, which is not given.")
    if given and is_prepared(options.data):
        raise ConfigurationError(
            f"--{given[0].replace('_', '-')} applies to source files, but {options.data} is a prepared dataset.",
            hint="Leave it out, or prepare the dataset again from its source file.",
        )
    return rules, form


def dataset_of(options: argparse.Namespace, config: TrainingConfig, stage: Path) -> Path:
    """Return a prepared dataset: the folder of the command line when it is one, else what is made of its data in `stage`.

    What was found in the data, and done about it, is printed.
    """
    rules, form = must_take_options(options)
    if is_prepared(options.data):
        return Path(options.data).expanduser()
    made, columns = stage / DATASET, config.dataset
    manifest = prepare(options.data, columns.name, made, targets=tuple(columns.targets), rules=rules, form=form)
    tell(manifest)
    return made


def tell(manifest: Mapping[str, Any]) -> None:
    """Print how data were read, and what was found in them and done about it."""
    for note in manifest["notes"]:
        print(f"data    {note}", flush=True)


@contextlib.contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Give a folder beside `output` for what is not accepted yet; it goes at the end.

    A command that is refused leaves its output as it was, also where that is absent.
    """
    there = next(folder for folder in output.absolute().parents if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=there) as stage:
            yield Path(stage)
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror or error}.") from None


def accept(stage: Path, output: Path) -> Path | None:
    """Move a dataset that was made in `stage` into the output folder; return where it is, None when none was made."""
    output.mkdir(parents=True, exist_ok=True)
    made, place = stage / DATASET, output / DATASET
    if not made.is_dir():
        return None
    if place.exists():
        shutil.rmtree(place)
    made.rename(place)
    return place


def machine_memory_gb() -> float:
    """Return the memory of this machine in GB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB


def must_be_a_folder(output: Path, what: str) -> None:
    """Refuse an output that is a file: `what` writes a folder. ConfigurationError."""
    if output.exists() and not output.is_dir():
        raise ConfigurationError(f"{output}: this is a file, but {what} needs a folder.")
    must_be_ours(output / DATASET)
