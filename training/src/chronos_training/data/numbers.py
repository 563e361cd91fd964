"""Numbers as people write them: decimal point or comma, groups of thousands. What may be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from chronos_training.core.errors import DataError

pc: Any = pyarrow.compute  # makes its functions when it is imported; no stub knows them
# Words for no value in a column of numbers; in one of names, they are names.
EMPTY = (
    "",
    "NA",
    "N/A",
    "n/a",
    "<NA>",
    "NaN",
    "nan",
    "-nan",
    "-NaN",
    "NULL",
    "null",
    "None",
    "#N/A",
    "#NA",
    "#N/A N/A",
)
_LIKE = r"^[-+]?(?:[\d.,'’ \x{00a0}\x{202f}]*\d[\d.,]*(?:[eE][-+]?\d+)?|inf|Infinity)$"
_CURRENCY = r"^([-+]?) ?[$€£¥] ?|\s?[$€£¥]$"
_GAP = r"['’ \x{00a0}\x{202f}]"
# Thousands in groups, where a point or a comma might as well stand before decimals: 1,234.
_MAYBE_COMMA, _MAYBE_POINT = r"^[-+]?[1-9]\d{0,2},\d{3}$", r"^[-+]?[1-9]\d{0,2}\.\d{3}$"
_IS_COMMA = rf"^[-+]?(?:\d{{1,3}}(?:(?:\.|{_GAP})\d{{3}})+,\d+|[1-9]\d{{0,2}}(?:\.\d{{3}}){{2,}}|\d*,\d+)$"
_IS_POINT = rf"^[-+]?(?:\d{{1,3}}(?:(?:,|{_GAP})\d{{3}})+\.\d+|[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}}|\d*\.\d+)$"


def texts_of(values: pd.Series, empty: Iterable[str] = ()) -> pa.Array:
    """Return the texts of a column, null for other values and for words that stand for none."""
    try:
        array = pa.array(values, pa.string(), from_pandas=True)
    except pa.ArrowTypeError:  # not texts alone
        array = pa.array([value if isinstance(value, str) else None for value in values], pa.string())
    array = pc.replace_substring_regex(pc.utf8_trim_whitespace(array), _CURRENCY, r"\1")
    return pc.if_else(pc.is_in(array, pa.array([*EMPTY, *empty])), None, array)


def plainest(values: pd.Series) -> pd.Series:
    """Return a column of nothing but plain numbers and empty texts as float64, and any other as it is: most are plain."""
    if values.dtype != object:
        return values
    try:
        array = pa.array(values, pa.string())
        numbers = pc.cast(pc.if_else(pc.equal(array, ""), None, array), pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return values
    found = pd.Series(numbers.to_numpy(zero_copy_only=False), index=values.index)
    return values if np.isinf(found).any() or found.isna().all() else found


def like_numbers(texts: pa.Array) -> int:
    """Return how many texts look like a number in any writing, true and false counted."""
    found = pc.or_(pc.match_substring_regex(texts, _LIKE), pc.is_in(pc.utf8_lower(texts), pa.array(["true", "false"])))
    return int(pc.sum(found).as_py() or 0)


def decimal_mark(columns: Iterable[pa.Array], separator: str) -> str:
    """Return the decimal mark of a file, `.` or `,`, from all its numbers. DataError when they do not tell.

    In a file that commas divide, 1.234 is a number with decimals; in one that semicolons divide, it may be 1234.
    """
    columns = list(columns)
    comma = _first(columns, _IS_COMMA, _MAYBE_COMMA)
    point = _first(columns, _IS_POINT, _MAYBE_POINT)
    if comma and point:
        raise DataError(
            f"Some numbers have a decimal comma ({comma!r}), others a decimal point ({point!r}).",
            hint="Write all of them in one way.",
        )
    if comma or point:
        return "," if comma else "."
    maybe = _first(columns, _MAYBE_COMMA) or (_first(columns, _MAYBE_POINT) if separator != "," else "")
    if not maybe:
        return "."
    whole, mark = maybe.replace(",", "").replace(".", ""), "," if "," in maybe else "."
    error = DataError(
        f"{maybe!r} may be {whole} or {maybe.replace(',', '.')}: every number with such a mark has three digits after it.",
        hint="State the decimal mark: --decimal comma or --decimal point.",
    )
    error.facts["options"], error.facts["or"] = {"decimal": "comma"}, {"decimal": "point"}
    if mark == ".":
        error.facts["options"], error.facts["or"] = error.facts["or"], error.facts["options"]
    raise error


def _first(columns: Iterable[pa.Array], pattern: str, but: str = "") -> str:
    for texts in columns:
        found = pc.match_substring_regex(texts, pattern)
        if but:
            found = pc.and_not(found, pc.match_substring_regex(texts, but))
        if (place := pc.index(found, True).as_py()) >= 0:
            return str(texts[place].as_py())
    return ""


def plain(values: pd.Series, texts: pa.Array, decimal: str) -> pd.Series:
    """Return a column with its texts as float64, exactly as Parquet would hold them; what is no number stays as it is.

    `texts` are those of `texts_of`.
    """
    groups = rf"(?:[{'.' if decimal == ',' else ','}]|{_GAP})"
    grouped = pc.match_substring_regex(texts, rf"^[-+]?\d{{1,3}}(?:{groups}\d{{3}})+(?:\{decimal}\d*)?$")
    written = pc.if_else(grouped, pc.replace_substring_regex(texts, groups, ""), texts)
    if decimal == ",":
        # A point is none of its decimals: 12.5 stays text, and is told.
        pointed = pc.and_not(pc.match_substring(written, "."), grouped)
        written = pc.if_else(pointed, "?", pc.replace_substring(written, ",", "."))
    lower = pc.utf8_lower(written)
    written = pc.if_else(pc.equal(lower, "true"), "1", pc.if_else(pc.equal(lower, "false"), "0", written))
    written = pc.replace_substring_regex(written, r"^\+", "")
    try:
        numbers = pc.cast(written, pa.float64())
    except pa.ArrowInvalid:
        good = pc.match_substring_regex(written, r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$|^-?(?:inf|Infinity)$")
        numbers = pc.cast(pc.if_else(good, written, None), pa.float64())
    found = pd.Series(numbers.to_numpy(zero_copy_only=False), index=values.index)
    too_large = np.isinf(found)
    if too_large.any():
        too_large &= ~values.astype(str).str.contains("inf", case=False)
        found = found.mask(too_large)
    if not found.isna().any():
        return found
    left = values[(found.isna() & ~_empty(values, texts)) | too_large]
    if left.empty:
        return found
    return found.astype(object).where(~found.index.isin(left.index), values)


def _empty(values: pd.Series, texts: pa.Array) -> pd.Series:
    """Return where a column has no value: nothing, or a word for it."""
    word = pc.is_null(texts).to_numpy(zero_copy_only=False) & values.map(lambda value: isinstance(value, str))
    return word | values.isna()
