"""Dates as people write them. What may be read in two ways is refused, or read as `Format.dates` says; nothing is guessed."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from chronos_training.core.errors import DataError
from chronos_training.data.formats import ORDERS
from chronos_training.data.frequency import infer_freq
from chronos_training.data.grid import grid_positions

# 31/1/2024, 01.02.2024 13:00, 1-2-24 3:00 PM: two numbers whose order is not said, then a year.
_NUMBERS = re.compile(r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T](.*))?$")
_TIMES = {
    r"": "",
    r"\d{1,2}:\d\d": " %H:%M",
    r"\d{1,2}:\d\d:\d\d": " %H:%M:%S",
    r"\d{1,2}:\d\d [AaPp][Mm]": " %I:%M %p",
    r"\d{1,2}:\d\d:\d\d [AaPp][Mm]": " %I:%M:%S %p",
}
_MONTHS = ("%B %Y", "%b %Y", "%Y %b", "%Y %B", "%m/%Y", "%m-%Y", "%YM%m")
_QUARTERS = (
    re.compile(r"^(?P<year>\d{4})[- ]?Q(?P<quarter>[1-4])$"),
    re.compile(r"^Q(?P<quarter>[1-4])[- /]?(?P<year>\d{4})$"),
)
_FIRST = 100  # values that tell whether to look at all
_YEARS = range(1678, 2262)


def plain(values: pd.Series, how: str = "") -> pd.Series:
    """Return a column of dates so that ISO 8601 reads it: other formats are timestamps, what cannot be read stays as it is.

    `how` is day-first, month-first or a format of strptime. DataError when it is empty and the order of day, month and
    year cannot be told from the values.
    """
    values = _whole_numbers(values)
    if pd.api.types.is_numeric_dtype(values) or values.dtype.kind in "mM":
        return values
    only = pd.api.types.infer_dtype(values, skipna=False) == "string"
    if only and not how and _reads(values.head(_FIRST)).all() and _reads(values).all():
        return values  # ISO 8601, as most
    texts = (values if only else values[values.map(lambda value: isinstance(value, str))]).str.strip()
    texts = texts[texts != ""]
    if len(texts) and not texts.equals(values[texts.index]):
        values = values.astype(object)
        values[texts.index] = texts  # blanks around a date are none of it
    if texts.empty:
        return values
    if how and how not in ORDERS:
        return _put(values, _parsed(texts, how))
    if texts.str.fullmatch(r"-?\d+(?:\.\d+)?").all() and not texts.str.fullmatch(r"\d{4}|\d{8}").all():
        # Seconds since 1970 and the like: a column of numbers is told as one.
        return pd.to_numeric(values, errors="coerce")
    iso = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
    other = texts[iso.isna()]
    if len(other) * 2 < len(texts) or len(texts) < len(values):
        return values  # a few bad ones are told as such; and what was read before is not read again
    numbers = other.str.extract(_NUMBERS)
    if len(matching := numbers.dropna(subset=[0])) * 2 > len(other):
        return _put(values, _ordered(other, matching, how))
    return _put(values, _named(other))


def _reads(values: pd.Series) -> pd.Series:
    digits = values.head(_FIRST).str.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*").any()
    if digits:
        return pd.Series([False])
    return pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601").notna()


def _whole_numbers(values: pd.Series) -> pd.Series:
    """Return years (1990) and days (20240131) that came as whole numbers as texts; other values as they are."""
    if not pd.api.types.is_integer_dtype(values) or values.empty or values.isna().any():
        return values
    if values.isin(_YEARS).all() or values.between(16780101, 22611231).all():
        return values.astype(str).astype(object)
    return values


def _put(values: pd.Series, parsed: pd.Series) -> pd.Series:
    found = parsed.dropna()
    out = values.astype(object)
    out[found.index] = found.to_numpy(dtype=object)
    return out


def _parsed(texts: pd.Series, format_: str) -> pd.Series:
    try:
        parsed = pd.to_datetime(texts, errors="coerce", utc=True, format=format_)
    except ValueError as error:
        raise DataError(f"The format {format_!r} cannot be used: {error}.", hint="Give one such as %d.%m.%Y.") from None
    if "%z" not in format_:
        return parsed
    # Each with its own offset: the local date may be what counts.
    aware = {text: pd.to_datetime(text, format=format_) for text in texts[parsed.notna()].unique()}
    return texts.map(aware).astype(object)


def _ordered(texts: pd.Series, parts: pd.DataFrame, how: str) -> pd.Series:
    """Return dates of two numbers and a year; DataError when their order is not to be told."""
    first, second = parts[0].astype(int), parts[2].astype(int)
    mark, example = parts[1].iloc[0], texts[parts.index[0]]
    if (parts[3].str.len() == 2).any():
        orders = [f"%m{mark}%d{mark}%y", f"%d{mark}%m{mark}%y"]
        raise ambiguous(
            f"The dates have years of two digits, such as {example!r}, and it is unclear which part is the year.",
            *(reversed(orders) if first.gt(12).any() else orders),
        )
    if not how:
        late_first, late_second = first.gt(12), second.gt(12)
        if late_first.any() and late_second.any():
            one, two = texts[late_first.idxmax()], texts[late_second.idxmax()]
            raise DataError(
                f"The dates use two orders: {one!r} has the day first, {two!r} the month.",
                hint="Write all of them as 2024-01-31.",
            )
        # The first of January in every year is the same in both orders.
        if not late_first.any() and not late_second.any() and first.ne(second).any():
            raise _which_is_first(texts, mark, example)
        how = "month-first" if late_second.any() else "day-first"
    return _timed(texts, parts[4].fillna(""), mark, how)


def _timed(texts: pd.Series, times: pd.Series, mark: str, how: str) -> pd.Series:
    start = f"%d{mark}%m{mark}%Y" if how == "day-first" else f"%m{mark}%d{mark}%Y"
    parsed = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns, UTC]")
    for pattern, format_ in _TIMES.items():
        some = times[times.str.fullmatch(pattern)].index
        if len(some):
            parsed[some] = _parsed(texts[some].str.replace("T", " "), start + format_)
    return parsed


def _which_is_first(texts: pd.Series, mark: str, example: str) -> DataError:
    """Return the question that nobody but the writer can answer; the reading that is more regular is offered first."""
    days = texts.str.split(r"[ T]", n=1, regex=True).str[0]
    told = {}
    for how in ORDERS:
        stamps = (
            _timed(days, days.str.slice(0, 0), mark, how).dropna().dt.tz_localize(None).drop_duplicates().sort_values()
        )
        told[how] = _regularity(stamps)
    better, other = sorted(ORDERS, key=lambda how: told[how][0])
    return ambiguous(
        f"Is it the day or the month that comes first in dates such as {example!r}? No number is above 12, so they cannot be "
        f"told apart. Read {better}, they are {told[better][1]}; read {other}, {told[other][1]}.",
        better,
        other,
    )


def _regularity(stamps: pd.Series) -> tuple[float, str]:
    """Return what share of their grid different days lack, and that in words."""
    frame = pd.DataFrame({"item_id": "", "timestamp": stamps.astype("datetime64[us]")}).reset_index(drop=True)
    try:
        freq = infer_freq(frame)
        number = grid_positions(frame["timestamp"].to_numpy(), freq).number
    except DataError:
        return 1.0, "of no frequency"
    whole = int(number[-1] - number[0]) + 1
    lacking = whole - len(frame)
    return lacking / whole, f"of frequency {freq}, {f'with {lacking:,} gaps' if lacking > 0 else 'without a gap'}"


def ambiguous(sentence: str, one: str, other: str) -> DataError:
    """Return the refusal of dates that can be read in two ways, with the option that decides."""
    error = DataError(sentence, hint=f"State their order: --dates {one} or --dates {other}.")
    error.facts["options"] = {"dates": one}
    error.facts["or"] = {"dates": other}
    return error


def _named(texts: pd.Series) -> pd.Series:
    """Return dates with the month as a word, quarters, and what else has a format that its first value tells."""
    for pattern in _QUARTERS:
        quarters = texts.str.extract(pattern).dropna()
        if len(quarters) * 2 > len(texts):
            months = (quarters["quarter"].astype(int) * 3 - 2).astype(str).str.zfill(2)
            return pd.to_datetime(quarters["year"] + "-" + months + "-01", utc=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guess: Any = guess_datetime_format(texts.iloc[0])
    # A year of two digits, and a part that is not said, would be guessed.
    formats = [guess] if guess and "%Y" in guess and "%m/%d" not in guess else [*_MONTHS]
    tried = [_parsed(texts, format_) for format_ in formats]
    return max(tried, key=lambda parsed: int(parsed.notna().sum()))
