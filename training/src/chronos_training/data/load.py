"""Reads a synced dataset folder into columns, with every file checked against the manifest.

Two passes over the files, one file in memory at a time: the first counts the series, the second puts each value at its
place. With a folder to work in, the columns are files that are mapped, and a panel larger than memory can be learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.core.errors import DataError
from chronos_training.data.grid import grid_positions
from chronos_training.data.manifest import read_manifest, verify_files
from chronos_training.data.panel import Array, Panel


def load_panel(
    folder: Path,
    targets: Sequence[str] = ("target",),
    *,
    past: Sequence[str] = (),
    known: Sequence[str] = (),
    work: Path | None = None,
) -> Panel:
    """Return the panel in `folder` with these columns, mapped from files in `work` when that is given.

    DataError names the file and the fault: missing, corrupt, or not as the manifest says.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    wanted = [*targets, *past, *known]
    for column in wanted:
        if column not in manifest["columns"]:
            there = ", ".join(manifest["columns"])
            raise DataError(f"{folder}: the dataset has no column {column!r}; it has: {there}.")
    keys = [manifest["item_id_column"], manifest["timestamp_column"]]
    counted = _count(folder, manifest, keys)
    rows = int(counted["count"].sum())
    if rows != manifest["rows"]:
        raise DataError(f"{folder}: {rows:,} rows, but the manifest says {manifest['rows']:,}.")
    lengths = counted["count"].to_numpy(dtype=np.int64)
    panel = Panel(
        name=manifest["name"],
        freq=manifest["freq"],
        item_ids=tuple(str(item) for item in counted.index),
        starts=counted["min"].to_numpy(dtype="datetime64[us]"),
        offsets=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        lengths=lengths,
        columns=_columns(wanted, rows, work),
        targets=tuple(targets),
        past=tuple(past),
        known=tuple(known),
        manifest=manifest,
    )
    _fill(folder, panel, keys, work)
    return panel


def _count(folder: Path, manifest: dict[str, Any], keys: list[str]) -> pd.DataFrame:
    """Return count, first and last timestamp of every item, sorted by item."""
    item, stamp = keys
    parts = []
    for entry in manifest["files"]:
        table = _table(folder / entry["path"], entry["rows"], keys)
        grouped = table.group_by(item).aggregate([(stamp, "count"), (stamp, "min"), (stamp, "max")])
        parts.append(grouped.to_pandas().rename(columns=lambda name: name.removeprefix(f"{stamp}_")))
    if not parts:
        raise DataError(f"{folder}: the manifest lists no files.")
    return pd.concat(parts).groupby(item, sort=True).agg({"count": "sum", "min": "min", "max": "max"})


def _columns(names: Sequence[str], rows: int, work: Path | None) -> dict[str, Array]:
    if work is None:
        return {name: np.empty(rows) for name in names}
    work.mkdir(parents=True, exist_ok=True)
    return {name: _mapped(work / f"column-{i}.f8", np.float64, rows) for i, name in enumerate(names)}


def _mapped(path: Path, kind: Any, rows: int) -> Array:
    return np.memmap(path, dtype=kind, mode="w+", shape=(rows,))


def _fill(folder: Path, panel: Panel, keys: list[str], work: Path | None) -> None:
    """Put every value of every file at its place; DataError when two want the same place, or one has none."""
    first = grid_positions(panel.starts, panel.freq)
    rows = int(panel.lengths.sum())
    seen = np.zeros(rows, bool) if work is None else _mapped(work / "seen.u1", np.bool_, rows)
    index = pd.Index(panel.item_ids)
    for entry in panel.manifest["files"]:
        path = folder / entry["path"]
        table = _table(path, entry["rows"], [*keys, *panel.columns])
        items = index.get_indexer(table.column(0).to_pandas())
        found = grid_positions(table.column(1).to_numpy(), panel.freq)
        at = found.number - first.number[items]
        fits = found.fits & first.fits[items] & (found.phase == first.phase[items])
        wrong = ~fits | (at < 0) | (at >= panel.lengths[items])
        at += panel.offsets[items]
        if not wrong.any():
            # `seen` twice: in an earlier file, or twice in this one.
            wrong = seen[at] | pd.Series(at).duplicated().to_numpy()
        if wrong.any():
            raise _off_the_grid(folder, panel, int(items[np.flatnonzero(wrong)[0]]))
        seen[at] = True
        for name, column in panel.columns.items():
            column[at] = table.column(name).to_numpy()
    # As many places as rows, and no place taken twice: all are taken.


def _off_the_grid(folder: Path, panel: Panel, item: int) -> DataError:
    return DataError(
        f"{folder}: series {panel.item_ids[item]!r} has gaps, rows that share a time, or steps other than {panel.freq!r}.",
        hint="Publish it again.",
    )


def _table(path: Path, rows: int, columns: list[str]) -> pa.Table:
    """Return some columns of a Parquet file: text, timestamp, then numbers. DataError when the file is another one."""
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
    item, stamp, *numbers = columns
    checks = [(item, pa.types.is_string), (stamp, pa.types.is_timestamp)]
    checks += [(name, pa.types.is_floating) for name in numbers]
    wrong = [
        f"{name} is {table.schema.field(name).type}" for name, good in checks if not good(table.schema.field(name).type)
    ]
    if wrong:
        raise DataError(f"{path}: {'; '.join(wrong)}; expected text, timestamp and number.")
    if table.column(item).null_count or table.column(stamp).null_count:
        raise DataError(f"{path}: rows without item or timestamp.")
    return table.select(columns)
