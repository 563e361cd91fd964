"""A panel of synthetic series to pretrain on: `python -m chronos_training.data.synthetic.panel --output FILE.parquet`.

The same seed and number give the same file. Dates are daily for all series, whatever seasons they have: a Chronos model sees no dates.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.data.synthetic.mixing import generator
from chronos_training.data.synthetic.series import series

_LENGTH, _SERIES = 2, 3  # streams of random numbers; those below are of the training windows
SHORT_SHARE = 0.4  # of series shorter than `full`, so that short histories are learnt, too


def panel(number: int, *, seed: int, shortest: int, full: int, longest: int) -> pd.DataFrame:
    """Return `number` series as item_id, timestamp, target (float32): a share of them from `shortest`, the rest from `full` to `longest`."""
    values = []
    for index in range(number):
        random = generator(seed, _LENGTH, index)
        low, high = (shortest, full) if random.random() < SHORT_SHARE else (full, longest)
        values.append(series(generator(seed, _SERIES, index), int(random.integers(low, high + 1))).astype(np.float32))
    lengths = np.array([len(one) for one in values])
    places = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            "item_id": np.repeat([f"s{index:06d}" for index in range(number)], lengths),
            "timestamp": np.datetime64("2000-01-01", "ns") + places.astype("timedelta64[D]"),
            "target": np.concatenate(values),
        }
    )


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    one = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    one.add_argument("--output", required=True, type=Path, help="file to write: .parquet")
    one.add_argument("--series", type=int, default=4_000, help="how many (default: %(default)s)")
    one.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    one.add_argument("--shortest", type=int, default=144, help="observations at least (default: %(default)s)")
    one.add_argument(
        "--full", type=int, default=576, help="from this length, a series is not short (default: %(default)s)"
    )
    one.add_argument("--longest", type=int, default=800, help="observations at most (default: %(default)s)")
    return one


def main(arguments: list[str] | None = None) -> int:
    """Write the file; returns the exit code: 0, or 2 with one message."""
    options = parser().parse_args(arguments)
    try:
        if options.output.suffix != ".parquet":
            raise ConfigurationError(f"{options.output}: must end in .parquet.")
        if options.series < 1 or not 2 <= options.shortest <= options.full <= options.longest:
            raise ConfigurationError("--series must be 1 or more, and 2 <= --shortest <= --full <= --longest.")
        frame = panel(
            options.series, seed=options.seed, shortest=options.shortest, full=options.full, longest=options.longest
        )
        options.output.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(options.output, index=False)
    except (TrainingError, OSError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {options.series:,} series, {len(frame):,} observations")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
