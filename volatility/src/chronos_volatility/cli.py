"""Reads the command line and runs one step. Exit codes: 0; 2 for what a person can mend, with one sentence."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import NoReturn

from chronos_training.core.errors import TrainingError
from chronos_training.core.output import run
from chronos_volatility import __version__

# The steps in their order. Each is a module of `steps` with add_options(parser) and run(options); only the one that runs is
# imported, because what they need takes seconds to import.
STEPS = {
    "ingest": "fetch prices, check them and store them",
    "features": "compute the features of the sessions that have none",
    "labels": "compute the labels of the sessions whose five following ones have closed",
    "train": "fit the candidates, and forecast the past walk-forward",
    "gate": "decide which model serves, or roll back",
    "infer": "forecast the five sessions after the last one",
    "report": "write the page with forecasts, errors, drivers and the gate's record",
    "check": "look whether the tables are whole, sound and fresh",
}


def parser(step: str | None = None) -> argparse.ArgumentParser:
    """Return the command line, with the options of `step`."""
    top = argparse.ArgumentParser(prog="volatility", description="Forecasts volatility over the next five sessions.")
    top.add_argument("--version", action="version", version=f"volatility {__version__}")
    steps = top.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, words in STEPS.items():
        below = steps.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        if name == step:
            module = import_module(f"chronos_volatility.steps.{name}")
            module.add_options(below)
            below.set_defaults(run=module.run)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a step and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser(next((word for word in words if word in STEPS), None)).parse_args(words)
        return int(options.run(options) or 0)
    except TrainingError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


def program() -> NoReturn:
    """The command `volatility`."""
    raise SystemExit(run(main))


if __name__ == "__main__":
    program()
