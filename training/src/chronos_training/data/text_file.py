"""Reads a table of text (CSV and its kin) as text: encoding, compression and separator are found, or said."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.formats import SEPARATORS, Format, quoted

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_GZIP = b"\x1f\x8b"
_LINES = 50  # that have to agree on a separator
# What office programs of Western Europe and America write; only shown as what it would read.
_USUAL = "cp1252"


def read_text_file(file: Path, form: Format) -> tuple[pd.DataFrame, str]:
    """Return the table in `file`, every cell as text, and the separator. DataError says what is wrong with it.

    Rows of empty cells, and rows that are the names once more (files put one after the other), are none; the index keeps
    the numbers of the others.
    """
    text = _decoded(_bytes(file), form.encoding)
    if not text.strip():
        raise DataError("cannot be read as CSV: No columns to parse from file.")
    separator = form.separator or _separator(text)
    header = pd.read_csv(io.StringIO(text), sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = [str(name).strip() for name in header.iloc[0]]
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, na_filter=False, header=0, names=_places(names), index_col=None
        )  # fmt: skip
    except pd.errors.ParserError:
        if len(names) > 1:
            raise
        raise DataError(
            f"the first line is not a header, because the lines after it have more columns: {names[0][:40]!r}.",
            hint="Delete everything before the header.",
        ) from None
    if len(names) == 1:
        frame = frame.reset_index(drop=True)  # no table: it will lack columns
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"the rows have more fields than the header has names ({len(names)}).")
    return with_names(_observations(frame, names), names, form.leave_out), separator


def _observations(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a table without rows that hold nothing, and without rows that are its names."""
    if frame.empty or len(names) == 1:
        return frame
    columns = list(frame.columns)
    # Most tables have none of either: the first column alone shows it.
    suspect = frame[frame[columns[0]].str.strip().isin(["", names[0]])]
    rows = suspect.apply(lambda column: column.str.strip())
    nothing = rows.eq("").all(axis=1) | rows.eq(names).all(axis=1)
    return frame.drop(index=suspect.index[nothing]) if nothing.any() else frame


def _bytes(file: Path) -> bytes:
    raw = file.read_bytes()
    if not raw.startswith(_GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the compressed file is damaged ({error}).") from None


def _decoded(raw: bytes, encoding: str) -> str:
    raw = raw.removeprefix(codecs.BOM_UTF8)
    name = encoding or next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    if name == "utf-8" and _CONTROL.search(raw, 0, 1000):
        raise DataError(
            "cannot be read as CSV: it contains bytes that are not text, or is UTF-16 without a byte order mark.",
            hint="If it is text, give --encoding utf-16-le.",
        )
    try:
        text = raw.decode(name)
    except LookupError:
        raise ConfigurationError(
            f"Format encoding: {encoding!r} is not known. Give one such as utf-8, cp1252 or utf-16."
        ) from None
    except UnicodeDecodeError as error:
        raise _undecodable(raw, error, encoding) from None
    return text.removeprefix("\ufeff")


def _undecodable(raw: bytes, error: UnicodeDecodeError, encoding: str) -> DataError:
    line = raw.count(b"\n", 0, error.start) + 1
    what = f"cannot be read as CSV: byte {raw[error.start]:#04x} is not {encoding or 'UTF-8'} text (line {line:,})"
    if encoding:
        return DataError(f"{what}.", hint="Give another --encoding.")
    begin = raw.rfind(b"\n", 0, error.start) + 1
    shown = raw[max(begin, error.start - 15) : error.start + 15].split(b"\n")[0].decode(_USUAL, "replace")
    refused = DataError(
        f"{what}; as {_USUAL} it reads {''.join(c if c.isprintable() else '?' for c in shown)!r}.",
        hint=f"Save it as UTF-8, or give --encoding {_USUAL} (or another).",
    )
    refused.facts["options"] = {"encoding": _USUAL}
    return refused


def _separator(text: str) -> str:
    """Return what divides the columns: what all first lines agree on. A comma when nothing divides them."""
    lines = text[: 1 << 16].splitlines()[:_LINES]
    lines = [line for line in lines if line.strip()]
    fitting = []
    for mark in SEPARATORS.values():
        if mark not in (lines[0] if lines else ""):
            continue
        counts = {len(row) for row in csv.reader(lines, delimiter=mark)}
        if min(counts) > 1:
            fitting.append((mark, len(counts) == 1))
    same = [mark for mark, agree in fitting if agree]
    if len(fitting) == 1 or len(same) == 1:
        return same[0] if len(same) == 1 else fitting[0][0]
    if not fitting:
        return ","
    error = DataError(
        f"its columns may be separated by {' or '.join(_word(mark) for mark, _ in fitting)}.",
        hint=f"Say which: --separator {_word(fitting[0][0])}.",
    )
    error.facts["options"] = {"separator": _word(fitting[0][0])}
    raise error


def _word(mark: str) -> str:
    return next(word for word, one in SEPARATORS.items() if one == mark)


def _places(names: list[str]) -> list[int]:
    """Return stand-ins for the names: pandas would rename the second of two equal ones."""
    return list(range(len(names)))


def with_names(frame: pd.DataFrame, names: list[str], leave_out: Sequence[str]) -> pd.DataFrame:
    """Return a table, whose columns are numbered, with the `names` of its header.

    A column without name and value goes: it is what a separator at the end of each line makes. One without a name alone is
    refused, unless it is to be left out as `column 1`.
    """
    names = [name or f"column {place + 1}" for place, name in enumerate(names)]
    for place, name in enumerate(names):
        if name != f"column {place + 1}" or name in leave_out:
            continue
        if frame[place].map(lambda value: value is None or str(value).strip() in ("", "nan")).all():
            frame = frame.drop(columns=place)
            continue
        error = DataError(f"{name} has no name.", hint=f"Name it, or leave it out: --leave-out '{name}'.")
        error.facts["options"] = {"leave_out": ",".join([*map(quoted, leave_out), name])}
        raise error
    frame.columns = pd.Index([names[place] for place in frame.columns], dtype=object)
    return frame
