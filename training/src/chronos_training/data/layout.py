"""From the columns of somebody's file to item_id, timestamp, targets and covariates; what is not taken is named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.config.messages import nearest
from chronos_training.core.errors import DataError
from chronos_training.data import dates, numbers, zones
from chronos_training.data.columns import KEYS, as_stamps
from chronos_training.data.formats import Format, as_words, quoted

# Names that people give to what is to be forecast, for the command that a refusal offers.
_VALUES = re.compile(
    r"value|target|sales|amount|quantity|qty|units|demand|count|total|price|close|load|y$", re.IGNORECASE
)
UNNAMED = "There is no column item_id"
_LOOKED_AT = 1000  # rows that tell what a column holds


def laid_out(
    table: pd.DataFrame, form: Format, targets: Sequence[str], name: str, separator: str = ","
) -> tuple[pd.DataFrame, list[str]]:
    """Return (item_id, timestamp, `targets`, covariates) of a table as read, and notes on what was done.

    `name` is the item's where the table has one series and no column of ids. Raises DataError, whose `facts["options"]`
    are what of a Format would take the file, where that can be told.
    """
    notes: list[str] = []
    table = _left_out(table, form, notes)
    table = _renamed(table, form)
    if form.wide:
        table = _long(table, form, targets, separator, notes)
    else:
        require(table, targets, form, whole=bool(form.item))
        table = _one_series(table, form, name, notes)
        values = [column for column in table.columns if column not in KEYS]
        table = _numbers(table, values, form, separator)
        table = _without_texts(table, targets, notes)
    table["timestamp"] = dates.plain(table["timestamp"], form.dates)
    if form.zone:
        table["timestamp"] = zones.in_zone(table["timestamp"], form.zone)
    return table, notes


def _left_out(table: pd.DataFrame, form: Format, notes: list[str]) -> pd.DataFrame:
    _must_be_there(table, form.leave_out, "leave_out")
    if form.leave_out:
        notes.append(f"Left out as asked: {', '.join(form.leave_out)}.")
    return table.drop(columns=list(form.leave_out))


def _renamed(table: pd.DataFrame, form: Format) -> pd.DataFrame:
    _must_be_there(table, list(form.columns.values()), "columns")
    renamed = table.rename(columns={theirs: ours for ours, theirs in form.columns.items()})
    twice = renamed.columns[renamed.columns.duplicated()]
    if len(twice):
        error = DataError(
            f"column {twice[0]} exists besides {form.columns[str(twice[0])]}, which should take that name.",
            hint=f"Leave it out: --leave-out {quoted(str(twice[0]))}.",
        )
        error.facts["options"] = {"leave_out": quoted(str(twice[0]))}
        raise error
    return renamed


def _must_be_there(table: pd.DataFrame, names: Sequence[str], option: str) -> None:
    have = [str(column) for column in table.columns]
    for name in names:
        if name not in have:
            raise DataError(f"there is no column {name!r} ({option}); it has: {shown(have)}.{nearest(name, have)}")


def require(table: pd.DataFrame, targets: Sequence[str], form: Format, *, whole: bool = False) -> None:
    """Refuse a table that lacks a column, with the option that would take it as it is. `whole`: it needs no item_id."""
    have = [str(column) for column in table.columns]
    missing = [column for column in ("timestamp", *targets) if column not in have]
    if not missing and ("item_id" in have or whole or _is_one_series(table)):
        return
    lacking = [column for column in ("item_id", *missing) if column not in have]
    offer = _offer(table, targets, form, missing)
    meant = nearest(lacking[0], have)
    if not missing:
        rows = "several rows share a time"
        error = DataError(f"column item_id is missing, and {rows}; it has: {shown(have)}.{meant}")
    else:
        error = DataError(f"column {', '.join(lacking)} is missing; it has: {shown(have)}.{meant}")
    if offer:
        error = DataError(error.message, hint=f"Say which columns these are: {shlex.join(as_words(offer))}.")
        error.facts["options"] = offer
    raise error


def _is_one_series(table: pd.DataFrame) -> bool:
    """Return whether no time is there twice: without a column of ids, the table is then one series."""
    return "timestamp" in table.columns and not table["timestamp"].duplicated().any()


def _offer(table: pd.DataFrame, targets: Sequence[str], form: Format, missing: Sequence[str]) -> dict[str, Any]:
    """Return what of a Format would most likely take the table; empty where nothing is to be said."""
    head = table.head(_LOOKED_AT)
    kinds = {str(column): _kind(head[column]) for column in table.columns}
    found = {ours: theirs for ours, theirs in form.columns.items() if ours in table.columns}
    for ours in ("item_id", *missing):
        same = [column for column in kinds if column.strip().lower() == ours.lower()]
        if ours not in kinds and len(same) == 1:
            found[ours] = same[0]
    missing = [column for column in missing if column not in found]
    table = table.rename(columns={theirs: ours for ours, theirs in found.items()})
    kinds = {
        next((ours for ours, theirs in found.items() if theirs == column), column): kind
        for column, kind in kinds.items()
    }
    free = [column for column in kinds if column not in {*KEYS, *targets}]
    if "timestamp" in missing:
        stamps = [column for column in free if kinds[column] == "dates"]
        stamps = stamps or [
            column for column in free if head[column].astype(str).str.fullmatch(r"1[6-9]\d\d|20\d\d").all()
        ]
        if not stamps:
            return {}
        found["timestamp"] = stamps[0]
        free.remove(stamps[0])
    stamp = found.get("timestamp", "timestamp")
    stamp = stamp if stamp in table.columns else "timestamp"
    values = [column for column in free if kinds[column] == "numbers"]
    once = not table[stamp].duplicated().any()
    if "item_id" not in table.columns:
        ids = [
            c for c in free if c != stamp and not table.duplicated([c, stamp]).any() and table[c].nunique() < len(table)
        ]
        ids = sorted((c for c in ids if kinds[c] != "dates"), key=lambda c: kinds[c] == "numbers")
        texts = [c for c in free if kinds[c] == "text"]
        if once and targets == ("target",) and "target" in missing and len(values) > 1 and not texts:
            rest = {ours: theirs for ours, theirs in found.items() if ours != "target"}
            return {"wide": True} | ({"columns": _listed(rest)} if rest else {})
        if not once and ids:
            found["item_id"] = ids[0]
            values = [column for column in values if column != ids[0]]
        elif not once:
            return {}
    if "target" in missing and targets == ("target",):
        if not values:
            return {}
        found["target"] = next((column for column in values if _VALUES.search(column)), values[0])
    elif set(missing) & set(targets):
        return {}
    ordered = {ours: found[ours] for ours in ("item_id", "timestamp") if ours in found} | found
    return {"columns": _listed(ordered)} if ordered else {}


def _listed(columns: dict[str, str]) -> str:
    parts = [f"{ours}={theirs}" for ours, theirs in columns.items()]
    return ",".join(f'"{part}"' if "," in part else part for part in parts)


def _kind(values: pd.Series) -> str:
    """Return what a column holds by its first rows: numbers, dates, text or nothing."""
    if pd.api.types.is_numeric_dtype(values):
        return "numbers"
    if values.dtype.kind in "mM":
        return "dates"
    texts = numbers.texts_of(values)
    known = len(values) - texts.null_count
    others = values[values.notna()].map(lambda value: not isinstance(value, str))
    if not known and not others.any():
        return "nothing"
    if known and numbers.like_numbers(texts) * 2 > known and not _is_dates(values):
        return "numbers"
    return "dates" if _is_dates(values) else ("numbers" if not known else "text")


def _is_dates(values: pd.Series) -> bool:
    known = values.dropna()
    known = known[known.astype(str).str.strip() != ""]
    if known.empty or known.map(lambda value: isinstance(value, (int, float))).any():
        return False
    # Of digits alone, days are dates (20240131); years might be any number.
    if (
        known.astype(str).str.fullmatch(r"\d{1,7}|\d{9,}|\d*[.,]\d+").all()
        and not known.astype(str).str.fullmatch(r"\d{8}").all()
    ):
        return False
    try:
        stamps = as_stamps(dates.plain(known))
    except DataError:
        return True  # of an order that has to be said
    return bool(stamps.notna().mean() > 0.9)


def _one_series(table: pd.DataFrame, form: Format, name: str, notes: list[str]) -> pd.DataFrame:
    if form.item and "item_id" in table.columns:
        raise DataError("it has a column item_id, but item says that all rows are one series.")
    if "item_id" in table.columns:
        return table
    if not form.item:
        notes.append(f"{UNNAMED}, and no time occurs twice: one series, named {name!r} after the file.")
    return table.assign(item_id=form.item or name)


def _numbers(table: pd.DataFrame, columns: Sequence[str], form: Format, separator: str) -> pd.DataFrame:
    """Return the table with the texts of `columns` as numbers, where they are numbers."""
    if separator == "," and not (form.decimal or form.empty):
        table = table.assign(**{column: numbers.plainest(table[column]) for column in columns})
    columns = [c for c in columns if not (pd.api.types.is_numeric_dtype(table[c]) or table[c].dtype.kind in "mM")]
    texts = {column: numbers.texts_of(table[column], form.empty) for column in columns}
    like = [c for c, array in texts.items() if numbers.like_numbers(array) * 2 > len(array) - array.null_count]
    decimal = form.decimal or numbers.decimal_mark([texts[column] for column in like], separator)
    return table.assign(**{column: numbers.plain(table[column], texts[column], decimal) for column in columns})


def _without_texts(table: pd.DataFrame, targets: Sequence[str], notes: list[str]) -> pd.DataFrame:
    """Return the table without columns in which nothing is a number: they can be no covariates. They are named."""
    no_numbers = [
        str(column)
        for column in table.columns
        if column not in {*KEYS, *targets}
        and (table[column].isna().all() or table[column].dtype.kind in "mM" or _is_text(table[column]))
    ]
    if no_numbers:
        notes.append(f"Left out, because they contain no numbers: {shown(no_numbers)}.")
    return table.drop(columns=no_numbers)


def _is_text(values: pd.Series) -> bool:
    if values.dtype != object:
        return False
    known = values.dropna()
    return (
        bool(len(known))
        and not known.map(lambda value: isinstance(value, (int, float, np.number))).any()
        and bool(known.map(lambda value: isinstance(value, str) or hasattr(value, "isoformat")).all())
    )


def _long(table: pd.DataFrame, form: Format, targets: Sequence[str], separator: str, notes: list[str]) -> pd.DataFrame:
    """Return a wide table as rows of item_id, timestamp and the one target; edges without a value are no observations."""
    if len(targets) != 1:
        raise DataError(f"a wide table has one target, but {len(targets)} are requested: {', '.join(targets)}.")
    if "item_id" in table.columns:
        raise DataError(
            "it has a column item_id, but a wide table has one column per series.", hint="Leave out --wide."
        )
    if "timestamp" not in table.columns:
        stamps = [str(c) for c in table.columns if _kind(table[c].head(_LOOKED_AT)) == "dates"]
        if len(stamps) != 1:
            have = (
                f"several columns hold dates: {shown(stamps)}"
                if stamps
                else f"no column holds dates; it has: {shown(table.columns)}"
            )
            offer = {"wide": True, "columns": f"timestamp={quoted(stamps[0] if stamps else str(table.columns[0]))}"}
            error = DataError(f"{have}.", hint=f"Name the one that dates the rows: --columns {offer['columns']}.")
            error.facts["options"] = offer
            raise error
        notes.append(f"The dates come from column {stamps[0]!r}.")
        table = table.rename(columns={stamps[0]: "timestamp"})
    columns = [str(column) for column in table.columns if column != "timestamp"]
    table = _numbers(table, columns, form, separator)
    table = _without_texts(table, (), notes)
    columns = [str(column) for column in table.columns if column != "timestamp"]
    if not columns:
        raise DataError("no column besides the dates holds numbers.")
    target = targets[0]
    # A series may be called as the target is, which melt takes for a mistake.
    rows = table.melt("timestamp", columns, var_name="item_id", value_name="\0").rename(columns={"\0": target})
    filled = rows[target].notna().groupby(rows["item_id"], sort=False)
    inside = filled.cummax().to_numpy() & filled.transform(lambda known: known[::-1].cummax()[::-1]).to_numpy()
    # A series without any value stays, and is told as one.
    inside |= ~filled.transform("any").to_numpy()
    if not inside.all():
        begun = rows["item_id"][~inside].nunique()
        notes.append(
            f"{int((~inside).sum()):,} empty cells before the first or after the last value of {begun:,} series are "
            "not treated as observations."
        )
    return rows.loc[inside, ["item_id", "timestamp", target]].reset_index(drop=True)


def shown(columns: Sequence[object]) -> str:
    """Return names for a message: a file that is no table at all has names of any length and of any bytes."""
    names = ["".join(c if c.isprintable() else "?" for c in str(column)) for column in columns]
    names = [name if len(name) <= 40 else name[:39] + "…" for name in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
