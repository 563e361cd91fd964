"""Reads a synced dataset folder into memory, with every file checked against the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.core.errors import DataError
from chronos_training.data.manifest import read_manifest, verify_files


@dataclass(frozen=True)
class Panel:
    """Series of one frequency. `values[i]` is the float64 target of `item_ids[i]` from `starts[i]` on, NaN = missing."""

    name: str
    freq: str
    item_ids: tuple[str, ...]
    starts: tuple[pd.Timestamp, ...]
    values: tuple[np.ndarray, ...]
    manifest: dict[str, Any]

    def timestamps(self, item: int, begin: int, end: int) -> pd.DatetimeIndex:
        """Return the timestamps of the observations `begin` to `end` (exclusive) of series `item`."""
        return pd.date_range(self.starts[item], periods=end, freq=self.freq)[begin:]


def load_panel(folder: Path, target: str) -> Panel:
    """Return the panel in `folder`. DataError names the file and the fault: missing, corrupt, or not as the manifest says."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    item, stamp = manifest["item_id_column"], manifest["timestamp_column"]
    if target not in manifest["columns"]:
        raise DataError(f"{folder}: the dataset has no column {target!r}; it has: {', '.join(manifest['columns'])}.")
    tables = [_table(folder / entry["path"], entry["rows"], [item, stamp, target]) for entry in manifest["files"]]
    frame = pa.concat_tables(tables).to_pandas().sort_values([item, stamp], kind="stable")
    if len(frame) != manifest["rows"]:
        raise DataError(f"{folder}: {len(frame):,} rows, but the manifest says {manifest['rows']:,}.")
    if frame.duplicated([item, stamp]).any():
        raise DataError(
            f"{folder}: {int(frame.duplicated([item, stamp]).sum())} rows share item and timestamp with another row."
        )
    ids, starts, values = [], [], []
    for name, series in frame.groupby(item, sort=True):
        stamps = series[stamp]
        grid = pd.date_range(stamps.iloc[0], periods=len(series), freq=manifest["freq"])
        if not np.array_equal(stamps.to_numpy(dtype="datetime64[us]"), grid.to_numpy(dtype="datetime64[us]")):
            raise DataError(
                f"{folder}: series {name!r} has gaps or steps other than {manifest['freq']!r}.",
                hint="Publish it again.",
            )
        ids.append(str(name))
        starts.append(stamps.iloc[0])
        values.append(series[target].to_numpy(dtype=np.float64))
    return Panel(manifest["name"], manifest["freq"], tuple(ids), tuple(starts), tuple(values), manifest)


def _table(path: Path, rows: int, columns: list[str]) -> pa.Table:
    try:
        # ParquetFile and not read_table: the latter takes folders named 1969/01 for partition columns.
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            missing = [column for column in columns if column not in names]
            if missing:
                raise DataError(f"{path}: column {', '.join(missing)} is missing; the file has: {', '.join(names)}.")
            table = file.read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from None
    if table.num_rows != rows:
        raise DataError(f"{path}: {table.num_rows:,} rows, but the manifest says {rows:,}.")
    item, stamp, target = columns
    wrong = [
        f"{name} is {table.schema.field(name).type}"
        for name, good in ((item, pa.types.is_string), (stamp, pa.types.is_timestamp), (target, pa.types.is_floating))
        if not good(table.schema.field(name).type)
    ]
    if wrong:
        raise DataError(f"{path}: {'; '.join(wrong)}; expected text, timestamp and number.")
    if table.column(item).null_count or table.column(stamp).null_count:
        raise DataError(f"{path}: rows without item or timestamp.")
    return table.select(columns)
