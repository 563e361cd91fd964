"""A partition as bytes: Parquet with its history in the file's own metadata, so that a copy of the object keeps it.

The digest in a partition's name is of its rows, not of the file: another version of Parquet, or another time of writing,
is the same content.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.core.errors import DataError
from chronos_volatility.tables.contract import Contract

DIGEST_LENGTH = 8


@dataclass(frozen=True)
class History:
    """When a partition was written (UTC), why it replaces an earlier one, and whether its content is made up."""

    written_at: datetime
    reason: str | None = None
    synthetic: bool = False

    def metadata(self) -> dict[bytes, bytes]:
        """Return it as a Parquet file's metadata."""
        found = {b"written_at": self.written_at.isoformat(timespec="microseconds").encode()}
        if self.reason is not None:
            found[b"reason"] = self.reason.encode()
        if self.synthetic:
            found[b"synthetic"] = b"true"
        return found

    @classmethod
    def of(cls, metadata: dict[bytes, bytes] | None) -> History:
        """Return what `metadata` made. KeyError or ValueError when it is of another program."""
        found = metadata or {}
        reason = found.get(b"reason")
        written_at = datetime.fromisoformat(found[b"written_at"].decode())
        return cls(written_at, None if reason is None else reason.decode(), b"synthetic" in found)


def to_arrow(contract: Contract, frame: pd.DataFrame) -> pa.Table:
    """Return a frame that keeps the contract, with the contract's types; NaN becomes null."""
    fields = [(name, contract.types.get(name, pa.float64())) for name in frame.columns]
    return pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return rows as the contracts describe them: days as naive midnights, moments in UTC, lists as lists."""
    schema = table.schema
    for position, found in enumerate(schema):
        if pa.types.is_date32(found.type):
            schema = schema.set(position, found.with_type(pa.timestamp("ns")))
        elif pa.types.is_timestamp(found.type):
            schema = schema.set(position, found.with_type(pa.timestamp("ns", tz="UTC")))
    frame: pd.DataFrame = table.cast(schema).to_pandas()
    for found in schema:
        if pa.types.is_list(found.type):
            lists = [value.tolist() if isinstance(value, np.ndarray) else value for value in frame[found.name]]
            frame[found.name] = pd.Series(lists, frame.index, dtype=object)
        elif pa.types.is_string(found.type):
            frame[found.name] = frame[found.name].astype(object)
    return frame


def slices(table: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Give the rows of each day of a table that is sorted by `date`, without copying them."""
    days = table.column("date").to_numpy().astype("datetime64[D]")
    begins = np.flatnonzero(np.r_[True, days[1:] != days[:-1]]) if len(days) else np.array([], int)
    for begin, end in zip(begins, [*begins[1:], len(days)], strict=True):
        yield days[begin].item(), table.slice(int(begin), int(end - begin))


def digests(contract: Contract, table: pa.Table) -> dict[date, str]:
    """Return for each day of a sorted table the sha256 of its rows, cut as names carry it."""
    names = sorted(name for name in table.column_names if name not in contract.unhashed)
    columns = [table.column(name).to_pylist() for name in names]
    # A feature that no row of the day has is no content: a table of several days has the columns of all of them.
    rows: dict[date, list[list[object]]] = {}
    for day, *values in zip(table.column("date").to_pylist(), *columns, strict=True):
        rows.setdefault(day, []).append(
            [[name, value] for name, value in zip(names, values, strict=True) if value is not None]
        )
    return {day: digest(content) for day, content in rows.items()}


def digest(content: object) -> str:
    """Return the sha256 of `content` as JSON, cut as names carry it."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, default=str, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def to_bytes(rows: pa.Table, history: History) -> bytes:
    """Return the Parquet file of a partition."""
    sink = pa.BufferOutputStream()
    # For a row or five, dictionaries, statistics and compression cost more bytes and time than they save.
    pq.write_table(
        rows.replace_schema_metadata(history.metadata()), sink,
        use_dictionary=False, write_statistics=False, compression="none",
    )  # fmt: skip
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_parquet(body: bytes) -> pa.Table:
    """Return the table of a Parquet file, read in this thread. ArrowException, OSError or ValueError when it is none.

    pyarrow.parquet.read_table and pandas' read_parquet leave threads that let go of `body` later: at the end of the
    interpreter that may abort the process, when all its work is done.
    """
    return pq.ParquetFile(io.BytesIO(body)).read(use_threads=False)


def from_bytes(body: bytes, url: str) -> tuple[pa.Table, History]:
    """Return the rows and the history of a partition's file. DataError names `url` when it is none."""
    try:
        table = read_parquet(body)
        for place, found in enumerate(table.schema):
            if pa.types.is_timestamp(
                found.type
            ):  # no digest covers it: a damaged one may be beyond what nanoseconds hold
                table.column(place).cast(pa.timestamp("ns", tz=found.type.tz))
        return table.replace_schema_metadata(None), History.of(table.schema.metadata)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{url} is not a partition that this program wrote: {str(error).splitlines()[0] if str(error) else error!r}.",
            hint="Restore it from a copy, or remove it: the next run of its step writes it again.",
        ) from error
