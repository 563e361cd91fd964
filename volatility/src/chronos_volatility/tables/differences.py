"""How stored rows and new ones differ, in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from chronos_volatility.tables.contract import ROWS_NAMED, Contract, name_of


def describe(contract: Contract, stored: pd.DataFrame, new: pd.DataFrame) -> str:
    """Return what differs, for the first few rows: "2018-12-07 SPX close 2633.08, stored 2640.1"."""
    names = [name for name in contract.key if name in stored and name in new]
    before, after = stored.set_index(names, drop=False), new.set_index(names, drop=False)
    told: list[str] = []
    for key in before.index.union(after.index):
        if key not in before.index:
            told.append(f"{name_of(after.loc[key, names])} is not stored")
        elif key not in after.index:
            told.append(f"{name_of(before.loc[key, names])} is stored, and missing now")
        else:
            told += _cells(contract, before.loc[key], after.loc[key])
        if len(told) >= ROWS_NAMED:
            break
    return ", ".join(told[:ROWS_NAMED])


def _cells(contract: Contract, before: pd.Series, after: pd.Series) -> list[str]:
    names = [name for name in after.index.union(before.index, sort=False) if name not in contract.unhashed]
    changed = [name for name in names if not _same(before.get(name), after.get(name))]
    row = name_of(after[list(contract.key)])
    return [f"{row} {name} {_word(after.get(name))}, stored {_word(before.get(name))}" for name in changed[:2]]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (_is_null(one) and _is_null(other))


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _word(value: Any) -> str:
    if _is_null(value):
        return "null"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
