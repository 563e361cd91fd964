"""Reads a table of text (CSV and its kin) as text: encoding, compression and separator are found, or said."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import pandas as pd

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.formats import SEPARATORS, Format

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
    """Return the table in `file`, every cell as text, and the separator. DataError says what is wrong with it."""
    text = _decoded(_bytes(file), form.encoding)
    if not text.strip():
        raise DataError("cannot be read as CSV: No columns to parse from file.")
    separator = form.separator or _separator(text)
    header = pd.read_csv(io.StringIO(text), sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = [str(name).strip() for name in header.iloc[0]]
    frame = pd.read_csv(
        io.StringIO(text), sep=separator, dtype=str, na_filter=False, header=0, names=_places(names), index_col=None
    )  # fmt: skip
    if len(names) == 1:
        frame = frame.reset_index(drop=True)  # no table: it will lack columns
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"the rows have more fields than the header has names ({len(names)}).")
    return _named(frame, names), separator


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
            "cannot be read as CSV: it holds bytes that no text has, or is UTF-16 without its mark.",
            hint="Say --encoding utf-16-le, if it is text.",
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
    what = f"cannot be read as CSV: byte {raw[error.start]:#04x} is no {encoding or 'UTF-8'} text (line {line:,})"
    if encoding:
        return DataError(f"{what}.", hint="Give another --encoding.")
    begin = raw.rfind(b"\n", 0, error.start) + 1
    shown = raw[max(begin, error.start - 15) : error.start + 15].split(b"\n")[0].decode(_USUAL, "replace")
    refused = DataError(
        f"{what}; as {_USUAL} it reads {''.join(c if c.isprintable() else '?' for c in shown)!r}.",
        hint=f"Save it as UTF-8, or say --encoding {_USUAL} (or another).",
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
        f"its columns may be divided by {' or '.join(_word(mark) for mark, _ in fitting)}.",
        hint=f"Say which: --separator {_word(fitting[0][0])}.",
    )
    error.facts["options"] = {"separator": _word(fitting[0][0])}
    raise error


def _word(mark: str) -> str:
    return next(word for word, one in SEPARATORS.items() if one == mark)


def _places(names: list[str]) -> list[int]:
    """Return stand-ins for the names: pandas would rename the second of two equal ones."""
    return list(range(len(names)))


def _named(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the table with its own names; a column without name and value is what a separator at the end of each line makes."""
    nameless = [place for place, name in enumerate(names) if not name]
    for place in nameless:
        if (frame[place].str.strip() != "").any():
            raise DataError(f"column {place + 1} has no name.", hint="Name it or leave it out.")
    frame = frame.drop(columns=nameless)
    frame.columns = pd.Index([name for name in names if name], dtype=object)
    return frame
