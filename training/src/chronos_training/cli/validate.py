"""`validate-config` and `validate-data`: say everything that is wrong, and where."""

from __future__ import annotations

import argparse
from pathlib import Path

from chronos_training.base_models import is_builtin
from chronos_training.cli.inputs import config_of, is_prepared, machine_memory_gb, must_take_options, tell
from chronos_training.cli.weights import Weights
from chronos_training.config import (
    TrainingConfig,
    automatic_line,
    check_against_dataset,
    is_resolved,
    resolve,
    with_initialization,
)
from chronos_training.config.remarks import remarks, suggestions
from chronos_training.config.size import check_memory, in_words
from chronos_training.data.manifest import read_manifest
from chronos_training.data.prepare import form_of, rules_of
from chronos_training.data.summary import examine
from chronos_training.data.validate import render, validate


def validate_config(options: argparse.Namespace) -> int:
    """Check a configuration, and whether it fits the dataset `--data` when that is given."""
    config, data = config_of(options.config), options.data
    rules, form = must_take_options(options)
    if config.model.family != "autogluon" and options.device == "cpu":
        check_memory(config, machine_memory_gb(), "this machine (--device cpu)", shared=True)
    manifest = None
    if data is not None:
        if is_prepared(data):
            manifest = read_manifest(Path(data).expanduser())
        else:
            _, manifest = examine(data, tuple(config.dataset.targets), rules, form)
            tell(manifest)
            manifest = manifest | {"name": config.dataset.name}
        config = with_initialization(config, manifest)
        weights = Weights.of(str(config.model.base)) if is_builtin(config.model.base) else None
        config = weights.adopted(config) if weights else config
        config = resolve(config, manifest, options.device, weights.longest_context if weights else None)
    print(f"{config.name}: valid; {config.model.family}, {_work(config)}")
    for key, reason in config.automatic.items():
        print(f"  {automatic_line(config, key, reason)}")
    if not is_resolved(config):
        return 0
    if config.model.family != "autogluon" and config.model.initialization == "random":
        print(f"  {in_words(config)}")
    print(
        f"  every series needs {config.shortest_usable_series:,} observations, of which {config.held_out_length:,} "
        "are held out"
    )
    if manifest is not None:
        check_against_dataset(config, manifest)
        season = config.season(manifest)
        print(f"  season {season.length:,}: {season.reason}")
        for sentence in (*remarks(config, manifest), *suggestions(config, manifest)):
            print(f"  {sentence}")
        print(f"  it fits {data}: {manifest['items']:,} series, {manifest['rows']:,} rows, {manifest['freq']}")
    return 0


def _work(config: TrainingConfig) -> str:
    if config.model.family == "autogluon":
        return f"{config.autogluon.presets}, at most {config.autogluon.time_limit_minutes:g} minutes"
    if not is_resolved(config):
        return f"as many steps of {config.training.batch_size} windows as the data call for (--data shows how many)"
    return f"{config.training.steps:,} steps of {config.training.batch_size} windows"


def validate_data(options: argparse.Namespace) -> int:
    """Check a panel, and print what it is and what was found."""
    targets = tuple(options.target or ("target",))
    summary, findings = validate(options.data, targets, rules_of(options), form_of(options))
    print(render(summary, findings))
    return 0
