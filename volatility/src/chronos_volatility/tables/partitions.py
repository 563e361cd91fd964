"""Tables as files: append-only partitions, one a day and version, with corrections that say why.

A partition is a day's rows, all of them. Nothing is overwritten or deleted, so a killed writer leaves whole partitions
and none half-written, and its next run writes those that are missing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pandas as pd
import pyarrow as pa

from chronos_training.core.errors import DataError
from chronos_volatility import settings as settings_of
from chronos_volatility.settings import OFFLINE, SYNTHETIC, Settings
from chronos_volatility.storage import Conflict, Storage
from chronos_volatility.tables import snapshots
from chronos_volatility.tables.contract import Contract, name_rows
from chronos_volatility.tables.differences import describe
from chronos_volatility.tables.encoding import History, digests, slices, to_arrow, to_bytes, to_frame
from chronos_volatility.tables.keys import PartitionKey, list_partitions
from chronos_volatility.tables.rows import KnownRows
from chronos_volatility.tables.schemas import contract
from chronos_volatility.tables.versions import choose

ATTEMPTS = 5  # so often a writer that another one was ahead of looks again


def read(
    storage: Storage,
    table: str,
    *,
    first: date | str | None = None,
    last: date | str | None = None,
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return the rows of `table` from `first` to `last` (days, both counted in), validated and sorted by its key.

    `as_of` (with a time zone) gives them as a reader at that moment saw them: what was written before it.
    `attrs["synthetic"]` of the result says whether any row is made up, `attrs["reasons"]` why a day (YYYY-MM-DD) was
    corrected. An empty table has its columns and no rows.
    Raises DataError for what is damaged or breaks the contract.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise ValueError("the time of reading needs a time zone")
    promised = contract(table, _settings(storage))
    listed = list_partitions(storage, table, _day(first), _day(last))
    known = snapshots.load(storage, table) if len(listed) > snapshots.WORTHWHILE else KnownRows()
    chosen = choose(storage, promised, listed, known, as_of=as_of)
    return _frame(storage, promised, known, list(chosen.values()))


def write(storage: Storage, table: str, frame: pd.DataFrame, *, reason: str | None = None, now: datetime) -> list[str]:
    """Write each day of `frame` whose rows are not stored yet, and return the names of the new partitions.

    `frame` has all rows of each of its days. A day that is stored with other rows is replaced when `reason` says why;
    without one, nothing is written and DataError names the table, the rows and what differs. `now` has a time zone.
    """
    if now.tzinfo is None:
        raise ValueError("the time of writing needs a time zone")
    settings = _settings(storage)
    promised = contract(table, settings)
    frame = promised.validate(frame, after="nothing was written")
    if frame.empty:
        return []
    rows = to_arrow(promised, frame)
    history = History(now, reason, SYNTHETIC in settings.sources)
    days, wanted = dict(slices(rows)), digests(promised, rows)
    written: list[str] = []
    known, fresh = KnownRows(), KnownRows()
    for _ in range(ATTEMPTS):
        listed = list_partitions(storage, table, min(days), max(days))
        present = {day: keys for day, keys in listed.items() if day in days}
        stored = choose(storage, promised, present, known, rows=False)
        missing = [day for day in days if day not in stored or stored[day].digest != wanted[day]]
        if not missing:
            if len(days) > snapshots.WORTHWHILE:
                refresh_snapshot(storage, table, now=now, written=fresh)
            return written
        different = [day for day in missing if day in stored]
        if different and reason is None:
            raise _refusal(storage, promised, frame, [stored[day] for day in different], known)
        seqs = {day: present[day][0].seq + 1 if day in present else 0 for day in missing}
        parts = {str(PartitionKey(table, day, seqs[day], wanted[day])): day for day in missing}
        histories = {key: history if seqs[day] else replace(history, reason=None) for key, day in parts.items()}
        bodies = ((key, to_bytes(days[day], histories[key])) for key, day in parts.items())
        # A name tells its content: where another writer had it first, nothing is missing.
        there = set(storage.create_many(bodies))
        new = [key for key in parts if key not in there]
        written += new
        if new:
            rows_written = pa.concat_tables([days[parts[key]] for key in new]).combine_chunks()
            fresh.add(rows_written, [(key, days[parts[key]].num_rows, histories[key]) for key in new])
    raise Conflict(f"{storage.url}/{table}")


def last_day(storage: Storage, table: str, until: date | str) -> pd.Timestamp | None:
    """Return the last day not after `until` that has a partition, None when there is none. Nothing but names is read."""
    end = pd.Timestamp(until)
    # A month of names is one small request; only a line that stood still for longer needs all of them.
    for first in (end - pd.Timedelta(days=40), None):
        listed = list_partitions(storage, table, None if first is None else first.date(), end.date())
        if listed:
            return pd.Timestamp(max(listed))
    return None


def days(storage: Storage, table: str, first: date | str | None = None) -> pd.DatetimeIndex:
    """Return the days from `first` on that have a partition, sorted. Nothing but names is read."""
    return pd.DatetimeIndex(sorted(list_partitions(storage, table, _day(first), None))).as_unit("ns")


def is_synthetic(storage: Storage) -> bool:
    """Return whether the storage holds prices that are made up, of which no score may be shown."""
    return SYNTHETIC in _settings(storage).sources


def refuse_synthetic(what: Storage | pd.DataFrame, use: str) -> None:
    """Raise DataError when a storage, or rows that were read from one, are made up. `use` completes "must not be …"."""
    made_up = what.attrs.get("synthetic", False) if isinstance(what, pd.DataFrame) else is_synthetic(what)
    if isinstance(what, pd.DataFrame) and "source" in what.columns:
        made_up = made_up or bool((what["source"] == SYNTHETIC).any())
    if made_up:
        place = "These rows are" if isinstance(what, pd.DataFrame) else f"{what.url} holds data that is"
        raise DataError(f"{place} made up by the generator, and must not be {use}.", hint="Use real prices.")


def refresh_snapshot(storage: Storage, table: str, *, now: datetime, written: KnownRows | None = None) -> str | None:
    """Write a snapshot when so many partitions are in none that reading them takes long. Return its name.

    `written` has rows that need not be read, because they were just written.
    """
    promised = contract(table, _settings(storage))
    listed = list_partitions(storage, table, None, None)
    known = snapshots.load(storage, table)
    if sum(str(keys[0]) not in known for keys in listed.values()) < snapshots.LAG:
        return None
    known.take_over(written)
    chosen = choose(storage, promised, listed, known)
    return snapshots.store(storage, table, known, [str(key) for key in chosen.values()], now)


def _frame(storage: Storage, promised: Contract, known: KnownRows, keys: list[PartitionKey]) -> pd.DataFrame:
    rows, parts = known.rows([str(key) for key in keys])
    if rows is None:
        rows = pa.schema(list(promised.types.items())).empty_table()
    frame = promised.validate(to_frame(rows), after=f"{storage.url} has rows that break the contract")
    frame.attrs["synthetic"] = any(history.synthetic for _, _, history in parts)
    histories = {key.day.isoformat(): known.history(str(key)) for key in keys}
    frame.attrs["reasons"] = {day: found.reason for day, found in histories.items() if found.reason is not None}
    return frame


def _refusal(
    storage: Storage, promised: Contract, new: pd.DataFrame, stored: list[PartitionKey], known: KnownRows
) -> DataError:
    choose(storage, promised, {key.day: [key] for key in stored[:3]}, known)
    before = _frame(storage, promised, known, stored[:3])
    after = new[new["date"].isin(before["date"])]
    labels = name_rows([str(key.day) for key in stored])
    return DataError(
        f"{promised.name}: nothing was written: {labels}: not what is stored ({describe(promised, before, after)}), "
        "and a correction needs a reason.",
        hint="Repeat with a reason if the stored value is wrong.",
        code="conflict",
    )


def _settings(storage: Storage) -> Settings:
    return settings_of.stored(storage) or OFFLINE


def _day(value: date | str | None) -> date | None:
    return None if value is None else pd.Timestamp(value).date()
