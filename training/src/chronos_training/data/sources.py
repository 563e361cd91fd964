"""Where a panel comes from: a named set of an installed package, or local CSV and Parquet files.

Every reader returns a frame with item_id, timestamp, the targets (and covariates), and notes on what it left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from chronos_training.config.messages import nearest
from chronos_training.core.errors import DataError
from chronos_training.data.named import BIRTHDAYS, NAMED

__all__ = ["BIRTHDAYS", "NAMED", "Source", "read_source"]

FILE_TYPES = (".parquet", ".csv")
PREFIXES = tuple({f"{name.split(':', 1)[0]}:" for name in NAMED})


@dataclass(frozen=True)
class Source:
    """A panel as read: `frame` with item_id, timestamp, targets, …; `notes` are sentences for the manifest.

    A panel of several files has an index of two levels, file name and row, so that a fault can be placed.
    """

    frame: pd.DataFrame
    description: str
    licence: str
    notes: list[str] = field(default_factory=list)


def read_source(source: str, targets: Sequence[str] = ("target",)) -> Source:
    """Return the panel of `source`: a name in NAMED, or the path of a CSV or Parquet file or of a folder of them.

    Raises DataError that names the file and what is wrong with it.
    """
    if named := NAMED.get(source):
        frame, notes = named.read()
        _require(list(frame.columns), targets, source)
        return Source(frame, source, named.licence, notes)
    if source.startswith(PREFIXES):
        raise DataError(
            f"{source}: not a known data set.{nearest(source, list(NAMED))}",
            hint=f"Known: {', '.join(NAMED)}; or give a CSV or Parquet file.",
        )
    return _files(Path(source).expanduser(), targets)


def _files(path: Path, targets: Sequence[str]) -> Source:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in FILE_TYPES and p.is_file())
        if not files:
            raise DataError(f"{path}: the folder holds no .parquet or .csv file.")
    elif path.is_file():
        files = [path]
    else:
        raise DataError(
            f"{path}: there is no such file or folder.{nearest(str(path), list(NAMED))}",
            hint=f"Or use a named source: {', '.join(NAMED)}.",
        )
    frames = [_file(file, targets) for file in files]
    columns = list(frames[0].columns)
    for file, frame in zip(files, frames, strict=True):
        if sorted(frame.columns) != sorted(columns):
            raise DataError(
                f"{file}: columns {_shown(frame.columns)} differ from those of {files[0].name}: {_shown(columns)}."
            )
    if len(frames) == 1:
        return Source(frames[0], path.name, "unknown")
    names = [str(file.relative_to(path)) for file in files]
    return Source(pd.concat(frames, keys=names)[columns], path.name, "unknown")


def _file(file: Path, targets: Sequence[str]) -> pd.DataFrame:
    if file.suffix not in FILE_TYPES:
        raise DataError(f"{file}: must be a .parquet or .csv file.")
    try:
        frame = _parquet(file) if file.suffix == ".parquet" else _csv(file, targets)
    except DataError:
        raise
    except Exception as error:  # readers raise a dozen types for a malformed file; the sentence is what matters
        raise DataError(f"{file}: cannot be read as {file.suffix[1:].upper()}: {_reason(error)}") from None
    _require(list(frame.columns), targets, str(file))
    if frame.empty:
        raise DataError(f"{file}: the file has columns and no rows.")
    return frame


def _reason(error: Exception) -> str:
    """Return a reader's own words, without the names of its parts."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.object[error.start] if error.object else 0:#04x} is no UTF-8 text. Save it as UTF-8."
    text = (str(error).splitlines() or [type(error).__name__])[0]
    for noise in ("Error tokenizing data. C error: ", "Could not open Parquet input source '<Buffer>': "):
        text = text.removeprefix(noise)
    return text if text.endswith(".") else f"{text}."


def _parquet(file: Path) -> pd.DataFrame:
    with pq.ParquetFile(file) as opened:
        names = pd.Index(opened.schema_arrow.names)
    if names.duplicated().any():
        raise DataError(f"{file}: column {_shown(names[names.duplicated()])} is there more than once.")
    frame = pd.read_parquet(file)
    # What pandas keeps as an index is a column to everybody else.
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _csv(file: Path, targets: Sequence[str]) -> pd.DataFrame:
    header = pd.read_csv(file, header=None, nrows=1, dtype=str).iloc[0]
    if len(header) == 1 and any(mark in str(header[0]) for mark in ";\t|"):
        raise DataError(
            f"{file}: the columns are not divided by commas: {_shown(header)}.", hint="Write it with commas."
        )
    _require([str(name) for name in header.dropna()], targets, str(file))
    if header.isna().any():
        raise DataError(
            f"{file}: column {int(header.isna().to_numpy().argmax()) + 1} has no name.", hint="Name it or leave it out."
        )
    # pandas would rename the second one, and it would be a covariate that nobody meant.
    if header.duplicated().any():
        raise DataError(f"{file}: column {_shown(header[header.duplicated()])} is there more than once.")
    frame = pd.read_csv(file, dtype={"item_id": "string"}, float_precision="round_trip", low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{file}: the rows have more fields than the header has names ({len(header)}).")
    return frame


def _require(columns: list[str], targets: Sequence[str], where: str) -> None:
    missing = [column for column in ("item_id", "timestamp", *targets) if column not in columns]
    if missing:
        meant = nearest(missing[0], [str(column) for column in columns])
        raise DataError(f"{where}: column {', '.join(missing)} is missing; it has: {_shown(columns)}.{meant}")


def _shown(columns: Sequence[object]) -> str:
    """Return the names for a message: a file that is no table at all has names of any length and of any bytes."""
    names = ["".join(c if c.isprintable() else "?" for c in str(column)) for column in columns]
    names = [name if len(name) <= 40 else name[:39] + "…" for name in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
