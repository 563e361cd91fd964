"""Tables that are computed from prices: which days are due, and which were made from prices that were corrected since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility import tables
from chronos_volatility.storage import Storage
from chronos_volatility.tables.keys import newest_versions

SAME = 1e-12  # a relative difference up to here is another processor's rounding, no correction


@dataclass(frozen=True)
class Derivation:
    """How a table comes from curated.market_daily."""

    table: str
    compute: Callable[[pd.DataFrame, pd.Timestamp], pd.DataFrame]
    """From market data and a first session to the rows from then on."""
    back: int
    """Sessions before a row that it depends on."""
    ahead: int
    """Sessions after a row that it depends on."""


@dataclass(frozen=True)
class Outcome:
    """The partitions that were written: of new days, and of days that were corrected."""

    new: list[str]
    corrected: list[str]


def bring_up_to_date(
    storage: Storage, derivation: Derivation, *, now: datetime, everything: str | None = None
) -> Outcome:
    """Write the days that are missing, and correct those whose prices were corrected. `everything`: why all are made again.

    A second call writes nothing. DataError when there are no prices.
    """
    prices = newest_versions(storage, tables.MARKET_DAILY)
    if not prices:
        raise DataError(f"{storage.url} has no prices.", hint="Run `volatility ingest` first.")
    days = list(prices)
    there = newest_versions(storage, derivation.table)
    due = days[: len(days) - derivation.ahead]
    missing = {day for day in due if day not in there}
    again = _affected(days, {day for day, seq in prices.items() if seq}, derivation) & set(there)
    if everything is not None:
        again = set(there)
    wanted = sorted(missing | again)
    if not wanted:
        return Outcome([], [])
    begin = days.index(wanted[0])
    end = min(len(days) - 1, days.index(wanted[-1]) + derivation.ahead)
    market = tables.read(storage, tables.MARKET_DAILY, first=days[max(0, begin - derivation.back)], last=days[end])
    rows = derivation.compute(market, pd.Timestamp(wanted[0]))
    new = tables.write(storage, derivation.table, rows[rows["date"].isin(_stamps(missing))], now=now)
    # Here and not where it is read: who reads a table, as a training does, need not be allowed to write below its name.
    tables.refresh_snapshot(storage, derivation.table, now=now)
    if not again:
        return Outcome(new, [])
    before = tables.read(storage, derivation.table, first=min(again), last=max(again))
    changed = _changed(before, rows[rows["date"].isin(_stamps(again))])
    reason = everything or f"prices in {tables.MARKET_DAILY} were corrected"
    corrected = tables.write(storage, derivation.table, changed, reason=reason, now=now) if len(changed) else []
    return Outcome(new, corrected)


def _affected(days: list[str], corrected: set[str], derivation: Derivation) -> set[str]:
    """Return the days whose rows depend on a corrected one."""
    found: set[str] = set()
    for day in corrected:
        place = days.index(day)
        found.update(days[max(0, place - derivation.ahead) : place + derivation.back + 1])
    return found


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return those rows of `after` that are not those of `before`."""
    old = before.set_index("date").reindex(after["date"])
    same = np.ones(len(after), dtype=bool)
    for name in after.columns.drop("date"):
        if name not in old:
            return after
        mine, theirs = after[name].to_numpy(), old[name].to_numpy()
        if after[name].dtype == object:
            same &= mine == theirs
        else:
            same &= np.isclose(mine, theirs.astype(np.float64), rtol=SAME, atol=1e-300, equal_nan=True)
    return after[~same]


def _stamps(days: set[str]) -> list[pd.Timestamp]:
    return [pd.Timestamp(day) for day in days]
