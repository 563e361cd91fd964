"""Writes the evaluation's files: metrics.json, per_series.csv, forecasts.parquet, and loss.csv."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.data.load import Panel
from chronos_training.models.forecasts import MODEL, Forecasts
from chronos_training.models.losscurve import LossCurve


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON; NaN and infinity are refused, because no other JSON reader takes them."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_loss(path: Path, curve: LossCurve) -> None:
    """Write loss.csv with the columns step, loss, learning_rate."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["step", "loss", "learning_rate"])
        out.writerows(zip(curve.steps, curve.losses, curve.learning_rates, strict=True))


def write_evaluation(folder: Path, scores: dict[str, Any], forecasts: Forecasts, panel: Panel) -> None:
    """Write metrics.json, per_series.csv and forecasts.parquet into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", scores)
    with (folder / "per_series.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        names = [(who, metric) for who in (MODEL, "seasonal_naive") for metric in ("wql", "mase", "mae")]
        out.writerow(["item_id", *(f"{who}_{metric}" for who, metric in names)])
        for row in scores["per_series"]:
            out.writerow([row["item_id"], *(row[who][metric] for who, metric in names)])
    pq.write_table(_forecast_table(forecasts, panel), folder / "forecasts.parquet", compression="zstd")


def _forecast_table(forecasts: Forecasts, panel: Panel) -> pa.Table:
    """Return the model's forecasts in long form: item_id, window, timestamp, actual, one column for each level."""
    series, windows, horizon = forecasts.actual.shape
    stamps = [
        panel.timestamps(i, origin, origin + horizon).to_numpy("datetime64[us]")
        for i in range(series)
        for origin in forecasts.origins[i]
    ]
    own = forecasts.quantiles[MODEL]
    columns: dict[str, Any] = {
        "item_id": np.repeat(np.array(panel.item_ids, dtype=object), windows * horizon),
        "window": np.tile(np.repeat(np.arange(windows, dtype=np.int32), horizon), series),
        "timestamp": np.concatenate(stamps),
        "actual": forecasts.actual.ravel(),
    }
    for level, value in enumerate(forecasts.levels):
        columns[f"q{value:g}"] = own[:, :, level, :].ravel()
    return pa.table(columns)
