"""forecasts.parquet: every held-out forecast of the model, and the other forecasters' medians and outermost quantiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Array, Chunk
from chronos_training.evaluation.metrics import median_of

# Forecasters that are left out: their medians are those of seasonal naive.
LEFT_OUT = {MODEL, "seasonal_naive_gaussian", "seasonal_naive_point"}


class ForecastFile:
    """Writes chunk by chunk: item_id, window, timestamp, actual, and one column for each of the model's levels.

    Every other forecaster has its median under its own name and its outermost quantiles as `<name>_q0.1`, empty for series
    that it does not forecast.
    """

    def __init__(self, path: Path, panel: Panel, levels: list[float]) -> None:
        """`path` is created with its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._panel, self._levels = path, panel, levels
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ForecastFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, chunk: Chunk) -> None:
        """Append a chunk's rows."""
        rows, windows, horizon = chunk.actual.shape
        stamps = [
            self._panel.timestamps(self._panel.row(row)[0], int(origin), int(origin) + horizon)
            for row, origins in zip(chunk.rows, chunk.origins, strict=True)
            for origin in origins
        ]
        own = chunk.quantiles[MODEL]
        ids = np.array([self._panel.row_id(row) for row in chunk.rows], dtype=object)
        columns: dict[str, Any] = {
            "item_id": np.repeat(ids, windows * horizon),
            "window": np.tile(np.repeat(np.arange(windows, dtype=np.int32), horizon), rows),
            "timestamp": np.concatenate([one.to_numpy("datetime64[us]") for one in stamps]),
            "actual": chunk.actual.ravel(),
            **{column_of(level): own[:, :, i].ravel() for i, level in enumerate(self._levels)},
        }
        for name, quantiles in chunk.quantiles.items():
            if name not in LEFT_OUT:
                columns[name] = median_of(quantiles, self._levels).ravel()
                for place in (0, -1):
                    columns[f"{name}_{column_of(self._levels[place])}"] = quantiles[:, :, place].ravel()
        if self._writer is None:
            first = [("item_id", pa.string()), ("window", pa.int32()), ("timestamp", pa.timestamp("us"))]
            schema = pa.schema([*first, *((name, pa.float64()) for name in list(columns)[3:])])
            self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        self._writer.write_table(pa.table(columns, schema=self._writer.schema))


def column_of(level: float) -> str:
    """Return the name of a level's column."""
    return f"q{level:g}"


def last_windows(path: Path, item_ids: list[str], levels: list[float]) -> dict[str, dict[str, Array]]:
    """Return, by item, the last window's `actual` (horizon,), `quantiles` (levels, horizon) and `naive` (horizon,)."""
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
