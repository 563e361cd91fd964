"""forecasts.parquet: every held-out forecast of the model, with seasonal naive's median beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.data.panel import Panel
from chronos_training.models.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Array, Chunk
from chronos_training.models.evaluation.metrics import median_of


class ForecastFile:
    """Writes item_id, window, timestamp, actual, one column for each level, seasonal_naive: chunk by chunk."""

    def __init__(self, path: Path, panel: Panel, levels: list[float]) -> None:
        """`path` is made with its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._panel, self._levels = panel, levels
        numbers = ["actual", *(column_of(level) for level in levels), SEASONAL_NAIVE]
        first = [("item_id", pa.string()), ("window", pa.int32()), ("timestamp", pa.timestamp("us"))]
        self._schema = pa.schema([*first, *((name, pa.float64()) for name in numbers)])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> ForecastFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, chunk: Chunk) -> None:
        """Append a chunk's rows."""
        rows, windows, horizon = chunk.actual.shape
        stamps = [
            self._panel.timestamps(self._panel.row(row)[0], int(origin), int(origin) + horizon)
            for row, origins in zip(chunk.rows, chunk.origins, strict=True)
            for origin in origins
        ]
        own, naive = chunk.quantiles[MODEL], median_of(chunk.quantiles[SEASONAL_NAIVE], self._levels)
        ids = np.array([self._panel.row_id(row) for row in chunk.rows], dtype=object)
        columns: dict[str, Any] = {
            "item_id": np.repeat(ids, windows * horizon),
            "window": np.tile(np.repeat(np.arange(windows, dtype=np.int32), horizon), rows),
            "timestamp": np.concatenate([one.to_numpy("datetime64[us]") for one in stamps]),
            "actual": chunk.actual.ravel(),
            **{column_of(level): own[:, :, i].ravel() for i, level in enumerate(self._levels)},
            SEASONAL_NAIVE: naive.ravel(),
        }
        self._writer.write_table(pa.table(columns, schema=self._schema))


def column_of(level: float) -> str:
    """Return the name of a level's column."""
    return f"q{level:g}"


def last_windows(path: Path, item_ids: list[str], levels: list[float]) -> dict[str, dict[str, Array]]:
    """Return by item the last window's `actual` (horizon,), `quantiles` (levels, horizon) and `naive` (horizon,)."""
    table = pq.read_table(path, filters=[("item_id", "in", item_ids)]).to_pandas()
    last = table[table["window"] == table["window"].max()]
    return {
        str(item): {
            "actual": part["actual"].to_numpy(),
            "quantiles": np.stack([part[column_of(level)].to_numpy() for level in levels]),
            "naive": part[SEASONAL_NAIVE].to_numpy(),
        }
        for item, part in last.groupby("item_id")
    }
