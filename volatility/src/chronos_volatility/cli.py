"""Reads the command line and runs one step. Exit codes: 0; 2 for what a person can mend, with one sentence."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from chronos_training.core.errors import TrainingError
from chronos_training.core.output import run
from chronos_volatility import __version__


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = argparse.ArgumentParser(prog="volatility", description="Forecasts volatility over the next five sessions.")
    top.add_argument("--version", action="version", version=f"volatility {__version__}")
    top.add_subparsers(dest="step", required=True, metavar="STEP")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a step and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except TrainingError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


def program() -> NoReturn:
    """The command `volatility`."""
    raise SystemExit(run(main))


if __name__ == "__main__":
    program()
