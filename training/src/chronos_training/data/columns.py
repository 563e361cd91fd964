"""The columns of a panel as read: text that can be a date, values that can be numbers. All faults come at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from chronos_training.core.errors import DataError
from chronos_training.data.dates import plain
from chronos_training.data.formats import quoted
from chronos_training.data.report import Report
from chronos_training.data.zones import ZONED, local_of

_WORDS = 3  # that a person may have for "no value"
KEYS = ("item_id", "timestamp")
# Models compute with float32, which ends at 3.4e38, and square their numbers.
LARGEST = 1e18
# What pandas' nanosecond timestamps hold; a series that leaves it cannot be given a grid.
EARLIEST, LATEST = pd.Timestamp("1678-01-01"), pd.Timestamp("2262-01-01")


def typed(frame: pd.DataFrame, targets: tuple[str, ...]) -> tuple[pd.DataFrame, pd.Series | None]:
    """Return item_id as text, timestamp as naive UTC of microseconds, then `targets`, then the rest, as float64.

    With it the timestamps as their own clocks show them, None when they have no zone. Raises DataError that lists every fault with its column, count and first row: missing or doubled columns, empty
    item ids, unreadable timestamps, values that are not numbers, infinite or beyond float32.
    """
    labels = frame.index
    raw = frame.reset_index(drop=True)
    raw.columns = raw.columns.map(str)
    if twice := sorted(set(raw.columns[raw.columns.duplicated()])):
        raise DataError(f"Column {', '.join(map(repr, twice))} appears more than once.", hint="Keep one of them.")
    if "timestamp" in raw:
        raw["timestamp"] = plain(raw["timestamp"])
    _check(raw, targets, labels)
    rest = [column for column in raw.columns if column not in {*KEYS, *targets}]
    table = pd.DataFrame(
        {"item_id": raw["item_id"].astype(str).astype(object), "timestamp": as_stamps(raw["timestamp"])}
        | {column: as_numbers(raw[column]) for column in (*targets, *rest)}
    )
    return table, local_of(raw["timestamp"])


def as_stamps(values: pd.Series) -> pd.Series:
    """Return dates (see `dates.plain`) as naive UTC of microseconds; NaT for what is not a date between 1678 and 2261."""
    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    parsed = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    return parsed.where(parsed.between(EARLIEST, LATEST, inclusive="left")).astype("datetime64[us]")


def as_numbers(values: pd.Series) -> pd.Series:
    """Return `values` as float64; NaN for what is empty or not a number. True and false are 1 and 0."""
    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(values.to_numpy(dtype="float64", na_value=np.nan), index=values.index)
    if values.dtype.kind in "mM":
        return pd.Series(np.nan, index=values.index)
    try:
        return pd.to_numeric(values, errors="coerce").astype("float64")
    except (TypeError, ValueError):  # lists and the like, for which coerce does not help
        return values.map(_number).astype("float64")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _schema(columns: list[str], targets: tuple[str, ...]) -> pa.DataFrameSchema:
    named = pa.Check(_is_name, error="item", ignore_na=False)
    dates = [
        pa.Check(lambda s: not pd.api.types.is_numeric_dtype(s), error="epoch"),
        pa.Check(_has_the_zone_of_the_others, error="zone", ignore_na=False),
        pa.Check(_is_date, error="date", ignore_na=False),
    ]
    numbers = [
        pa.Check(lambda s: as_numbers(s).notna(), error="text"),
        pa.Check(lambda s: ~np.isinf(as_numbers(s)), error="infinite"),
        pa.Check(lambda s: ~_is_beyond(as_numbers(s)), error="large"),
    ]
    values = [*targets, *(column for column in columns if column not in {*KEYS, *targets})]
    return pa.DataFrameSchema(
        {"item_id": pa.Column(nullable=True, checks=named), "timestamp": pa.Column(nullable=True, checks=dates)}
        | {column: pa.Column(nullable=True, checks=numbers) for column in values}
    )


def _is_beyond(values: pd.Series) -> pd.Series:
    return values.abs().gt(LARGEST) & ~np.isinf(values)


def _is_name(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values.notna()
    return values.notna() & values.map(lambda v: isinstance(v, (str, int)) and str(v).strip() != "", na_action="ignore")


def _is_date(values: pd.Series) -> Any:
    return True if pd.api.types.is_numeric_dtype(values) else as_stamps(values).notna()


def _has_the_zone_of_the_others(values: pd.Series) -> Any:
    """Return False where a text has no time zone although others have one: which zone was meant, nobody can tell."""
    if values.dtype.kind in "mMiufb":
        return True
    zoned = values.astype("string").str.contains(ZONED, regex=True).fillna(True).astype(bool)
    return zoned if (zoned & values.notna()).any() else True


def _check(raw: pd.DataFrame, targets: tuple[str, ...], labels: pd.Index) -> None:
    try:
        _schema(list(raw.columns), targets).validate(raw, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return
    report = Report()
    missing = cases.loc[cases["check"] == "column_in_dataframe", "failure_case"]
    if len(missing):
        has = ", ".join(raw.columns)
        report.refuse(f"Column {', '.join(missing)} is missing; there are: {has}.")
    for column in raw.columns:
        for check, group in cases[cases["column"] == column].groupby("check", sort=False):
            index = group["index"].dropna().astype(int)
            first = int(index.min()) if len(index) else 0
            sentence = _sentence(column, str(check), len(group), raw[column].iloc[first], _place(labels, first))
            offer = _offer(str(check), column, raw[column].iloc[index], column in targets)
            report.refuse(sentence, _remedy(str(check), column, column in targets), **offer)
    report.stop()


def _place(labels: pd.Index, row: int) -> str:
    """Return `row 5`, or `row 5 of b.csv` for a panel of several files."""
    if labels.nlevels == 2:
        file, own = labels[row]
        return f"row {own + 1:,} of {file}"
    # A file's own numbers, where some of its rows held nothing.
    own = labels[row] if pd.api.types.is_integer_dtype(labels) and labels.is_unique else row
    return f"row {own + 1:,}"


def _shown(value: Any) -> str:
    """Return a value for a message: short, and in words where there is none."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "an empty one"
    if isinstance(value, (float, np.number)):
        return f"{value:g}"
    shown = str(value) if isinstance(value, pd.Timestamp) else repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"


_DATES = "dates such as 2024-01-31 or 2024-01-31 13:00"


def _sentence(column: str, check: str, count: int, first: Any, place: str) -> str:
    """Return what is wrong with `count` values of `column`."""
    return {
        "item": f"{count:,} rows have no item_id; first: {place}.",
        "epoch": f"The timestamp column holds numbers; give {_DATES}.",
        "zone": f"{count:,} timestamps have no time zone, while others have one; first: {_shown(first)} in {place}.",
        "date": f"{count:,} timestamps cannot be read; first: {_shown(first)} in {place}.",
        "infinite": f"Column {column!r}: {count:,} values are infinite; first: {place}.",
        "large": f"Column {column!r}: {count:,} values are beyond ±{LARGEST:g}: models compute in float32, which ends at 3.4e38, "
        f"and their squares must fit too; first: {_shown(first)} in {place}.",
        "text": f"Column {column!r}: {count:,} values are not numbers; first: {_shown(first)} in {place}.",
    }[check]


def _offer(check: str, column: str, wrong: pd.Series, is_target: bool) -> dict[str, str]:
    """Return the option that takes a column in spite of its `wrong` values: words that may stand for none, or leaving it out."""
    words = sorted({str(value).strip() for value in wrong})
    if check == "text" and len(words) <= _WORDS and not any(c.isdigit() or c in ',"' for word in words for c in word):
        return {"empty": ",".join(words)}
    return {} if is_target or check not in ("text", "infinite", "large") else {"leave_out": quoted(column)}


def _remedy(check: str, column: str, is_target: bool) -> str:
    """Return what to do about it."""
    return {
        "item": "Give every row the name of its series, as text or a whole number.",
        "epoch": "If they are dates, give their format: --dates %Y%m.",
        "zone": "Give all of them a zone, or none.",
        "date": f"Give {_DATES}, from 1678 to 2261; or give their format, such as --dates %d.%m.%y.",
        "infinite": "Leave unknown values empty.",
        "large": "Use a larger unit for the column, or leave empty what is not a value.",
        "text": "Leave unknown values empty, or list the texts that stand for them: --empty."
        if is_target
        else f"Only numbers are allowed besides item_id and timestamp: leave the column out (--leave-out {quoted(column)}), or "
        "give it as numbers.",
    }[check]
