"""The leaderboard: how each model did on AutoGluon's own validation windows, and what it weighs in the result."""

from __future__ import annotations

import math
from typing import Any

from autogluon.timeseries import TimeSeriesPredictor


def leaderboard(predictor: TimeSeriesPredictor) -> list[dict[str, Any]]:
    """Return a row for each model, best first: name, score (lower is better), seconds to fit and to forecast, weight."""
    best = predictor.model_best
    weights = predictor._trainer.load_model(best).get_info().get("model_weights") or {best: 1.0}
    rows = []
    for row in predictor.leaderboard(display=False).to_dict("records"):
        name = str(row["model"])
        rows.append(
            {
                "model": name,
                "score": _turned(row["score_val"]),
                "fit_seconds": _number(row["fit_time_marginal"]),
                "predict_seconds": _number(row["pred_time_val"]),
                "weight": round(float(weights[name]), 4) if name in weights else None,
                "chosen": name == best,
            }
        )
    return rows


def _turned(score: Any) -> float | None:
    found = _number(score)  # AutoGluon turns the sign of errors, so that higher is better
    return None if found is None else 0.0 - found


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
