"""All partitions of a table in one object, so that a reader of thirty years makes one request and not eight thousand.

A snapshot adds nothing: it has rows by the names of their partitions, and a name tells the content. A reader lists the
partitions and takes from the newest snapshot those that it has; the others, newer or corrected, it reads one by one. A
snapshot that is missing or damaged costs time only.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq

from chronos_volatility.storage import Storage
from chronos_volatility.tables.encoding import History, read_parquet
from chronos_volatility.tables.rows import KnownRows

# In partitions. A range that is longer is read from the snapshot, whatever it costs to load: S3 bills by the request.
WORTHWHILE = 40
LAG = 20  # so many that are in no snapshot make a new one worthwhile: about a month, so that no read takes many more
_PARTS = b"partitions"


def load(storage: Storage, table: str) -> KnownRows:
    """Return the rows of the newest snapshot, none when there is no usable one."""
    known = KnownRows()
    for key in reversed(storage.keys(_prefix(table))):
        body = storage.read(key)
        if body is None:
            continue
        try:
            rows = read_parquet(body)
            listed = json.loads(rows.schema.metadata[_PARTS])
            parts = [
                (name, count, History(datetime.fromisoformat(written_at), reason, synthetic))
                for name, count, written_at, reason, synthetic in listed
            ]
            if sum(count for _, count, _ in parts) != rows.num_rows:
                raise ValueError("it has other rows than it lists")
        except (pa.ArrowException, OSError, TypeError, KeyError, ValueError):
            continue
        known.add(rows.replace_schema_metadata(None), parts)
        break
    return known


def store(storage: Storage, table: str, known: KnownRows, keys: list[str], now: datetime) -> str:
    """Write the snapshot with the rows of `keys`, which are all known, and return its name."""
    rows, parts = known.rows(keys)
    if rows is None:
        raise ValueError("a snapshot needs partitions")
    listed = [
        [name, count, history.written_at.isoformat(timespec="microseconds"), history.reason, history.synthetic]
        for name, count, history in parts
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata({_PARTS: json.dumps(listed).encode()}), sink, compression="zstd")
    body: bytes = sink.getvalue().to_pybytes()
    moment = now.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    name = f"{_prefix(table)}{moment}-{hashlib.sha256(body).hexdigest()[:8]}.parquet"
    storage.create(name, body)
    return name


def _prefix(table: str) -> str:
    return f"snapshots/{table}/"
