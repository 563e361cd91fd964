"""Which of a day's partitions counts.

| case | what a reader takes |
|---|---|
| versions with different seq | the highest; in a point-in-time read, the highest that was written before that time |
| two writers gave different content the same seq at once | the one written first, by the time in the files; the smaller digest when the times are equal |
| none was written before that time | nothing: the day is not in the result |

The earlier of two equals stands because a reader may have seen it: no value changes without a seq and a reason of its own.
A writer looks again when it has written. One that finds that its content does not count writes it as a correction, or
refuses to (`partitions.write`). What is left without a lock: the writer with the earlier time is so slow that the other has
looked already. Then the earlier one counts and the other is not told; all readers still see the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby

import pyarrow as pa

from chronos_training.core.errors import DataError
from chronos_volatility.storage import Storage
from chronos_volatility.tables.contract import Contract
from chronos_volatility.tables.encoding import digests, from_bytes
from chronos_volatility.tables.keys import PartitionKey
from chronos_volatility.tables.rows import KnownRows


def choose(
    storage: Storage,
    contract: Contract,
    listed: dict[date, list[PartitionKey]],
    known: KnownRows,
    *,
    as_of: datetime | None = None,
    rows: bool = True,
) -> dict[date, PartitionKey]:
    """Return the partition of each day that counts, of those listed (highest seq first); `known` then has its rows.

    With `rows` False only what the choice needs is read: nothing, where a day's highest seq is there once.
    Raises DataError when a partition is damaged.
    """
    chosen: dict[date, PartitionKey] = {}
    waiting = {day: _by_seq(keys) for day, keys in listed.items()}
    while waiting:
        rivals = {day: versions.pop(0) for day, versions in waiting.items()}
        if rows or as_of is not None:
            wanted = [key for keys in rivals.values() for key in keys]
        else:
            wanted = [key for keys in rivals.values() if len(keys) > 1 for key in keys]
        fetch(storage, contract, wanted, known)
        for day, keys in rivals.items():
            if as_of is not None:
                keys = [key for key in keys if known.history(str(key)).written_at < as_of]
            if len(keys) == 1:
                chosen[day] = keys[0]
            elif keys:
                chosen[day] = min(keys, key=lambda key: (known.history(str(key)).written_at, key.digest))
        waiting = {day: versions for day, versions in waiting.items() if day not in chosen and versions}
    return chosen


def fetch(storage: Storage, contract: Contract, keys: Iterable[PartitionKey], known: KnownRows) -> int:
    """Read those of `keys` that are not known, and return how many these were. DataError names a damaged one."""
    wanted = [key for key in keys if str(key) not in known]
    tables, parts = [], []
    for key, body in zip(wanted, storage.read_many([str(key) for key in wanted]), strict=True):
        url = f"{storage.url}/{key}"
        if body is None:
            raise DataError(f"{url} was listed, and cannot be read: it was removed.", hint="Nothing here removes one.")
        table, history = from_bytes(body, url)
        _require_named(contract, key, table, url)
        tables.append(table)
        parts.append((str(key), table.num_rows, history))
    if tables:
        known.add(pa.concat_tables(tables, promote_options="default").combine_chunks(), parts)
    return len(wanted)


def _by_seq(keys: list[PartitionKey]) -> list[list[PartitionKey]]:
    return [list(group) for _, group in groupby(keys, key=lambda key: key.seq)]


def _require_named(contract: Contract, key: PartitionKey, table: pa.Table, url: str) -> None:
    """Refuse a partition whose rows are not those that its name says. DataError."""
    try:
        found = digests(contract, table)
    except (KeyError, ValueError, OverflowError):  # columns are gone, or hold what no date is
        found = {}
    if found != {key.day: key.digest}:
        raise DataError(
            f"{url} does not have the rows that its name tells: it was changed after it was written.",
            code="checksum_mismatch",
            hint="Restore it from a copy, or remove it: the next run of its step writes it again.",
        )
