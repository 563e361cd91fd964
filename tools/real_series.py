"""A panel of packaged real series to pretrain on: `python tools/real_series.py --packages FOLDER --output FILE.parquet`.

FOLDER has the packages of tools/real_sources.py, as their registries' clients download them (docs/base-models.md); nothing of them
is installed or run. Besides the controller's environment, h5py reads one of them: `pip install h5py==3.16.0`. `--markdown` prints
the table of the sources. The same packages give the same file, in the form of
`python -m chronos_training.data.synthetic.panel`: all dates are daily, since a Chronos model sees no dates.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from real_sources import SOURCES, Packages, Source

SHORTEST, LONGEST = 40, 800  # observations; a longer series is cut, so that it does not count for more than others
GAPS = 0.3  # a piece with more of it missing is left out
# Missing values behind each series: the windows that a training holds out lie there, so that the last real values are learnt, and a
# short series has a window of 48 steps, too.
BEHIND = 72


def pieces(values: np.ndarray, shortest: int = SHORTEST) -> Iterator[np.ndarray]:
    """Cut one series (float64, NaN in gaps) into the pieces to learn: `shortest` to LONGEST long, with few gaps, not constant."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return
    values = values[known[0] : known[-1] + 1]
    number = -(-len(values) // LONGEST)
    for piece in np.array_split(values, number):
        inside = np.flatnonzero(np.isfinite(piece))
        if not inside.size:
            continue
        piece = piece[inside[0] : inside[-1] + 1]
        told = piece[np.isfinite(piece)]
        if len(told) >= shortest and len(told) >= (1 - GAPS) * len(piece) and np.ptp(told) > 0:
            yield piece.astype(np.float32)


def series(source: Source, packages: Packages, shortest: int = SHORTEST) -> dict[str, np.ndarray]:
    """Return a source's pieces by item_id; of more than `most` series, evenly spread ones."""
    wide = source.read(packages)
    found = {
        f"{source.package}/{source.item}/{source.freq}/{column}": list(
            pieces(wide[column].to_numpy(np.float64), shortest)
        )
        for column in wide.columns
    }
    good = [name for name, parts in found.items() if parts]
    chosen = np.unique(np.linspace(0, len(good) - 1, min(source.most, len(good))).round().astype(int))
    return {f"{good[place]}/{part}": one for place in chosen for part, one in enumerate(found[good[place]])}


def panel(values: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return item_id, timestamp, target (float32), each series with BEHIND missing values after its last; gaps are NaN."""
    values = {name: np.concatenate([one, np.full(BEHIND, np.nan, np.float32)]) for name, one in values.items()}
    lengths = np.array([len(one) for one in values.values()])
    places = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            "item_id": np.repeat(list(values), lengths),
            "timestamp": np.datetime64("2000-01-01", "ns") + places.astype("timedelta64[D]"),
            "target": np.concatenate(list(values.values())),
        }
    )


def markdown() -> str:
    """Return the table of the sources."""
    rows = [
        f"| {one.title} | {one.freq} | {one.package} {one.item} | {one.origin} | {one.licence} | {one.stated} |"
        for one in SOURCES
    ]
    return "\n".join(
        ["| series | frequency | package, item | origin | licence | stated in |", "|---|---|---|---|---|---|", *rows]
    )


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    one = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    one.add_argument("--packages", type=Path, help="folder of downloaded packages")
    one.add_argument("--output", type=Path, help="file to write: .parquet")
    one.add_argument(
        "--append-to", type=Path, metavar="FILE.parquet", help="a synthetic panel that the output begins with"
    )
    one.add_argument("--shortest", type=int, default=SHORTEST, help="values at least (default: %(default)s)")
    one.add_argument("--markdown", action="store_true", help="print the table of the sources")
    return one


def main(arguments: list[str] | None = None) -> int:
    """Write the file or print the table; returns the exit code: 0, or 2 with one message."""
    options = parser().parse_args(arguments)
    if options.markdown:
        print(markdown())
        return 0
    if not options.packages or not options.output:
        parser().error("--packages and --output, or --markdown")
    values: dict[str, np.ndarray] = {}
    try:
        for source in SOURCES:
            found = series(source, Packages(options.packages), options.shortest)
            print(
                f"{source.package} {source.item} {source.freq}: {len(found):,} series, {sum(map(len, found.values())):,} observations"
            )
            values |= found
        frame = panel(values)
        if options.append_to:
            frame = pd.concat([pd.read_parquet(options.append_to), frame], ignore_index=True)
        frame.to_parquet(options.output, index=False)
    except (OSError, ImportError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {len(values):,} real series; with the others {len(frame):,} rows")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
