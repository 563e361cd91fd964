"""Writes metrics.json, per_series.csv and loss.csv."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from chronos_training.evaluation.metrics import ROW_METRICS
from chronos_training.evaluation.names import names_of
from chronos_training.training.losscurve import LossCurve


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON; NaN and infinity are refused, because no other JSON reader takes them."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_loss(path: Path, curve: LossCurve) -> None:
    """Write loss.csv with the columns step, loss, learning_rate, validation_loss; the last is empty where none was taken."""
    validation = dict(curve.validation)
    rates = dict(zip(curve.steps, zip(curve.losses, curve.learning_rates, strict=True), strict=True))
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["step", "loss", "learning_rate", "validation_loss"])
        for step in sorted({*rates, *validation}):
            out.writerow([step, *rates.get(step, ("", "")), validation.get(step, "")])


def write_evaluation(folder: Path, scores: dict[str, Any]) -> None:
    """Write metrics.json and per_series.csv into `folder`; forecasts.parquet was written while they were scored."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", scores)
    with (folder / "per_series.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        names = [(who, metric) for who in names_of(scores) for metric in ROW_METRICS]
        out.writerow(["item_id", *(f"{who}_{metric}" for who, metric in names)])
        for row in scores["per_series"]:
            out.writerow([row["item_id"], *(row[who][metric] for who, metric in names)])
