"""What the steps' command lines have in common."""

from __future__ import annotations

import argparse
import os
from datetime import datetime, timezone

from chronos_training.core.clock import utc_now
from chronos_training.core.errors import ConfigurationError
from chronos_volatility.storage import Storage, open_storage

PLACE = "VOLATILITY_DATA"


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add --data and --now."""
    parser.add_argument(
        "--data", metavar="PLACE", default=os.environ.get(PLACE, "volatility-data"),
        help=f"the folder, or s3://bucket/prefix, with the tables (default: ${PLACE}, else volatility-data)",
    )  # fmt: skip
    parser.add_argument(
        "--now", metavar="MOMENT", help="act as at this moment, as 2018-12-07T18:05-05:00 (default: the clock)"
    )


def storage_of(options: argparse.Namespace) -> Storage:
    """Return the storage that --data names. ConfigurationError."""
    return open_storage(options.data)


def now_of(options: argparse.Namespace) -> datetime:
    """Return --now, else the clock, timezone-aware UTC. ConfigurationError when it is not a time."""
    if options.now is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(options.now)
    except ValueError as error:
        raise ConfigurationError(
            f"--now {options.now} is not a time.", hint="Write it as 2018-12-07T18:05-05:00."
        ) from error
    if moment.tzinfo is None:
        raise ConfigurationError(f"--now {options.now} has no time zone.", hint="Write it as 2018-12-07T18:05-05:00.")
    return moment.astimezone(timezone.utc)
