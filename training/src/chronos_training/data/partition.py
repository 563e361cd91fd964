"""Writes a panel as Parquet files by year and month. The same panel gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def parquet_schema(columns: list[str]) -> pa.Schema:
    """Return the Arrow schema of a dataset: item_id text, timestamp without zone, everything else double."""
    types = {"item_id": pa.string(), "timestamp": pa.timestamp("us")}
    return pa.schema([(column, types.get(column, pa.float64())) for column in columns])


def write_partitions(frame: pd.DataFrame, folder: Path) -> dict[str, int]:
    """Write `YYYY/MM/part-0.parquet` below `folder` (year and month of timestamp); return rows by relative path.

    `frame` is sorted by item_id and timestamp. No pandas metadata, one row group and a fixed codec: the bytes depend on
    the values only, so that an unchanged dataset keeps its digest.
    """
    schema = parquet_schema(list(frame.columns))
    rows: dict[str, int] = {}
    months = frame["timestamp"].dt.strftime("%Y/%m")
    for month, part in frame.groupby(months, sort=True):
        relative = f"{month}/part-0.parquet"
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pandas(part, schema=schema, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, path, compression="zstd", row_group_size=max(len(part), 1), write_statistics=True)
        rows[relative] = len(part)
    return rows
