"""Where a panel comes from: a named set of an installed package, or files that a person has.

Every reader returns a frame with item_id, timestamp, the targets (and covariates), and notes on what it left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from chronos_training.config.messages import nearest
from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.formats import Format, quoted
from chronos_training.data.layout import laid_out, require, shown
from chronos_training.data.named import BIRTHDAYS, NAMED
from chronos_training.data.text_file import read_text_file, with_names

__all__ = ["BIRTHDAYS", "NAMED", "Source", "read_source"]

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


def read_source(source: str, targets: Sequence[str] = ("target",), form: Format | None = None) -> Source:
    """Return the panel of `source`: a name in NAMED, or the path of a file or of a folder of them, written as `form` says.

    Raises DataError that names the file and what is wrong with it; its `facts["options"]` are what of a Format would take
    the file as it is, where that can be told.
    """
    form, targets = form or Format(), tuple(targets)
    if named := NAMED.get(source):
        if given := form.given():
            raise DataError(f"{source}: {given[0]} applies to files; a named set is read as is.")
        frame, notes = named.read()
        _require(list(frame.columns), targets, source)
        return Source(frame, source, named.licence, notes)
    if source.startswith(PREFIXES):
        raise DataError(
            f"{source}: not a known data set.{nearest(source, list(NAMED))}",
            hint=f"Known: {', '.join(NAMED)}; or give a CSV or Parquet file.",
        )
    return _files(Path(source).expanduser(), targets, form)


def _files(path: Path, targets: tuple[str, ...], form: Format) -> Source:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.name.lower().endswith(FILE_TYPES) and p.is_file())
        if not files:
            raise DataError(f"{path}: the folder holds no {_TYPES} file.")
    elif path.is_file():
        files = [path]
    else:
        raise DataError(
            f"{path}: no such file or folder.{nearest(str(path), list(NAMED))}",
            hint=f"Or use a named source: {', '.join(NAMED)}.",
        )
    read = [_file(file, targets, form, alone=len(files) == 1) for file in files]
    frames, columns = [frame for frame, _ in read], list(read[0][0].columns)
    for file, frame in zip(files, frames, strict=True):
        if sorted(frame.columns) != sorted(columns):
            raise DataError(
                f"{file}: columns {shown(frame.columns)} differ from those of {files[0].name}: {shown(columns)}."
            )
    if len(frames) == 1:
        return Source(frames[0], path.name, "unknown", read[0][1])
    names = [str(file.relative_to(path)) for file in files]
    notes = list(dict.fromkeys(note for _, some in read for note in some))
    return Source(pd.concat(frames, keys=names)[columns], path.name, "unknown", notes)


def _file(file: Path, targets: tuple[str, ...], form: Format, *, alone: bool) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of one file, laid out, and notes. A file that is not `alone` needs a column of ids, or `form.item`."""
    kind = next((one for one in FILE_TYPES if file.name.lower().endswith(one)), "")
    if not kind:
        raise DataError(f"{file}: must be a {_TYPES} file.")
    try:
        table, separator = _READERS[kind](file, form)
        if table.empty:
            require(table, targets, form)
            raise DataError("the file has columns but no rows.")
        if table.columns.duplicated().any():
            raise DataError(f"column {shown(table.columns[table.columns.duplicated()])} appears more than once.")
        if not alone and not form.item and not form.wide and "item_id" not in {*table.columns, *form.columns}:
            raise DataError(
                f"column item_id is missing; it has: {shown(table.columns)}. There are several files, and it is "
                "unclear whether each is one series.",
                hint="Add the column, name the column that serves as item_id (--columns item_id=NAME), or say that all files are one series (--item NAME).",
            )
        return laid_out(table, form, targets, file.name[: -len(kind)], separator)
    except DataError as error:
        told = DataError(f"{file}: {error.message}", hint=error.hint)
        told.facts |= error.facts
        raise told from None
    except ConfigurationError:
        raise
    except Exception as error:  # readers raise a dozen types for a malformed file; the sentence is what matters
        raise DataError(f"{file}: cannot be read as {kind[1:].upper()}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return a reader's own words, without the names of its parts."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    for noise in ("Error tokenizing data. C error: ", "Could not open Parquet input source '<Buffer>': "):
        text = text.removeprefix(noise)
    return text if text.endswith(".") else f"{text}."


def _parquet(file: Path, form: Format) -> tuple[pd.DataFrame, str]:
    _only_for_text(form, "parquet")
    with pq.ParquetFile(file) as opened:
        names = pd.Index(opened.schema_arrow.names)
    if names.duplicated().any():
        raise DataError(f"column {shown(names[names.duplicated()])} appears more than once.")
    frame = pd.read_parquet(file)
    # What pandas keeps as an index is a column to everybody else.
    return (frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()), ","


def _workbook(file: Path, form: Format) -> tuple[pd.DataFrame, str]:
    _only_for_text(form, "workbook")
    try:
        book = pd.ExcelFile(file, engine="openpyxl")
    except ImportError:
        raise DataError(
            "the package openpyxl is not installed here.", hint="Install it: pip install openpyxl."
        ) from None
    with book:
        sheets = [str(sheet.title) for sheet in book.book.worksheets if sheet.max_row > 1]
        if form.sheet and form.sheet not in book.sheet_names:
            have = [str(name) for name in book.sheet_names]
            raise DataError(f"there is no sheet {form.sheet!r}; it has: {shown(have)}.{nearest(form.sheet, have)}")
        if not form.sheet and len(sheets) > 1:
            error = DataError(
                f"it has several sheets: {shown(sheets)}.", hint=f"Say which: --sheet {quoted(sheets[0])}."
            )
            error.facts["options"] = {"sheet": sheets[0]}
            raise error
        frame = book.parse(
            form.sheet or (sheets or book.sheet_names)[0],
            header=None,
            dtype=object,
            keep_default_na=False,
            na_filter=False,
        )
    if frame.empty:
        raise DataError("the sheet is empty.")
    frame = frame.replace("", None)
    names = ["" if pd.isna(name) else str(name).strip() for name in frame.iloc[0]]
    frame = frame.iloc[1:].dropna(how="all").reset_index(drop=True)
    frame = with_names(frame, names, form.leave_out)
    return frame.infer_objects(), ","


def _only_for_text(form: Format, kind: str) -> None:
    """Refuse what has no meaning for a kind of file: an option that is ignored is a wrong belief."""
    for name in ("separator", "encoding", *(["sheet"] if kind == "parquet" else [])):
        if getattr(form, name):
            raise DataError(f"{name} is for text files, which this is not.", hint=f"Leave out --{name}.")


def _text(file: Path, form: Format) -> tuple[pd.DataFrame, str]:
    if form.sheet:
        raise DataError("sheet is for workbooks, which this is not.", hint="Leave out --sheet.")
    return read_text_file(file, form)


_READERS: dict[str, Callable[[Path, Format], tuple[pd.DataFrame, str]]] = {
    ".parquet": _parquet, ".xlsx": _workbook, **dict.fromkeys((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"), _text),
}  # fmt: skip
FILE_TYPES = tuple(_READERS)
_TYPES = ".csv, .tsv, .txt (also .gz), .xlsx or .parquet"


def _require(columns: list[str], targets: Sequence[str], where: str) -> None:
    missing = [column for column in ("item_id", "timestamp", *targets) if column not in columns]
    if missing:
        meant = nearest(missing[0], [str(column) for column in columns])
        raise DataError(f"{where}: column {', '.join(missing)} is missing; it has: {shown(columns)}.{meant}")
