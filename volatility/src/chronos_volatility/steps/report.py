"""`volatility report`: one HTML page of what is forecast, how good forecasts have been, and what the gate decided."""

from __future__ import annotations

import argparse
from pathlib import Path

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.report.facts import gather
from chronos_volatility.report.page import render
from chronos_volatility.steps.options import add_common, now_of, storage_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", default=Path("volatility-report.html"), help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Write the page, and say where."""
    page = render(gather(storage_of(options), now_of(options)))
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{options.output} cannot be written: {error.strerror}.") from error
    print(f"written: {options.output}")
    return 0
