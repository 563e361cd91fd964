"""`validate-config` and `validate-data`: say everything that is wrong, and where."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chronos_training.command.inputs import config_of
from chronos_training.config import TrainingConfig, check_against_dataset
from chronos_training.data.manifest import MANIFEST, read_manifest
from chronos_training.data.prepare import rules_of
from chronos_training.data.summary import examine
from chronos_training.data.validate import render, validate


def validate_config(names: Sequence[str], data: str | None) -> int:
    """Check a configuration, and whether it fits the dataset `data` when that is given."""
    config = config_of(names)
    print(f"{config.name}: valid; {config.model.family}, {_work(config)}")
    print(
        f"  every series needs {config.shortest_usable_series:,} observations, {config.held_out_length:,} of them are held out"
    )
    if data is not None:
        folder = Path(data).expanduser()
        if (folder / MANIFEST).is_file():
            manifest = read_manifest(folder)
        else:
            _, manifest = examine(data, tuple(config.dataset.targets), None)
            manifest = manifest | {"name": config.dataset.name}
        check_against_dataset(config, manifest)
        print(f"  it fits {data}: {manifest['items']:,} series, {manifest['rows']:,} rows, {manifest['freq']}")
    return 0


def _work(config: TrainingConfig) -> str:
    if config.model.family == "autogluon":
        return f"{config.autogluon.presets}, at most {config.autogluon.time_limit_minutes:g} minutes"
    return f"{config.training.steps:,} steps of {config.training.batch_size} windows"


def validate_data(options: argparse.Namespace) -> int:
    """Check a panel, and print what it is and what was found."""
    targets = tuple(options.target or ("target",))
    summary, findings = validate(options.data, targets, rules_of(options))
    print(render(summary, findings))
    return 0
