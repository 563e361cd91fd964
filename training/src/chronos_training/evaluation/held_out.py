"""Forecasts the held-out windows chunk by chunk, so that memory does not grow with the number of series."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.contexts import Cut
from chronos_training.data.panel import Panel
from chronos_training.evaluation import metrics
from chronos_training.evaluation.baselines import BASELINES
from chronos_training.evaluation.combine import Combination
from chronos_training.evaluation.forecasts import MODEL, Chunk, chunk_of, finished
from chronos_training.evaluation.recalibration import Fitted
from chronos_training.evaluation.rivals import Rivals
from chronos_training.evaluation.scoring import Scoring
from chronos_training.evaluation.statistical import Pool
from chronos_training.evaluation.store import ForecastFile
from chronos_training.evaluation.validation_windows import scales_of

# Forecasts one chunk of windows: quantiles (rows, windows, levels, horizon).
Forecaster = Callable[[Chunk], Any]
WINDOWS_AT_ONCE = 2048
log = logging.getLogger("chronos_training")


def evaluate(
    forecasters: dict[str, Forecaster],
    panel: Panel,
    config: TrainingConfig,
    file: Path,
    check: Callable[[], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    fitted: Fitted | None = None,
    combination: Combination | None = None,
) -> dict[str, Any]:
    """Return the scores (see `Scoring.result`) of `forecasters` (the model, perhaps zero-shot) and of the baselines.

    The model's forecasts are written to `file`. `fitted` recalibrates them, and the scores include those from before;
    `combination` combines them with those of rivals. `check` is called between chunks and may raise; `progress` gets (rows
    done, all rows).
    """
    levels, horizon = list(config.forecast.quantile_levels), config.forecast.prediction_length
    season, wanted = config.season_length(panel.manifest), config.evaluation.baselines
    scoring, rivals, old = Scoring(panel, config), Rivals(panel, config), 0
    recalibration, before = (fitted.recalibration if fitted else None), metrics.Scores(levels)
    each = max(1, WINDOWS_AT_ONCE // (config.evaluation.windows * len(panel.targets)))
    with Pool() as pool, ForecastFile(file, panel, levels) as store:
        for begin in range(0, len(panel), each):
            chunk = chunk_of(panel, range(begin, min(begin + each, len(panel))), config)
            for name, forecaster in forecasters.items():
                chunk.quantiles[name] = forecaster(chunk)
            if recalibration is not None:
                scales = scales_of(chunk, season)
                before.add(chunk.actual, finished(chunk.quantiles[MODEL], config.forecast.minimum), scales)
                chunk.quantiles[MODEL] = recalibration.apply(chunk.quantiles[MODEL], scales)
            for name, baseline in BASELINES.items():
                if name == "naive" and name not in wanted:
                    continue
                check()
                chunk.quantiles[name] = np.array(
                    [[baseline(history, horizon, levels, season) for history in row] for row in chunk.histories]
                )
            rivals.forecast(chunk, pool, check)
            if combination is not None:
                combination.add_to(chunk)
            for name, quantiles in chunk.quantiles.items():
                chunk.quantiles[name] = finished(quantiles, config.forecast.minimum)
            old += old_histories(panel, chunk, config)
            scoring.add(chunk)
            store.add(chunk)
            progress(chunk.rows.stop, panel.rows)
    for name, found in rivals.said().items():
        if found["series"] < found["of"]:
            log.info("%s is compared on %d of %d series", name, found["series"], found["of"])
        if found["stand_ins"]:
            log.info(
                "%s could not be fitted to %d of %d series; seasonal naive takes its place",
                name, found["stand_ins"], found["series"],
            )  # fmt: skip
    if old:
        log.info("%d windows: a target has no value in the model's context; its last earlier values are used", old)
    said: dict[str, Any] = {"applied": recalibration is not None, "reason": fitted.reason if fitted else None}
    if recalibration is not None:
        raw = before.aggregate()
        said |= {"coverage_before": raw["coverage"], "wql_before": raw["wql"]}
        said["interval_coverage_before"] = scoring.share_inside(before)
    scores = scoring.result() | {"rivals": rivals.said(), "recalibration": said, "forecast_from_old_values": old}
    if combination is not None:
        scores["combination"] = {"weights": combination.weights, "reason": combination.reason} | scores["combination"]
    return scores


def old_histories(panel: Panel, chunk: Chunk, config: TrainingConfig) -> int:
    """Return how many windows of a chunk are forecast from values older than the context. AutoGluon sees whole series."""
    if config.model.family == "autogluon":
        return 0
    cut, targets = Cut.of(config, panel.manifest), len(panel.targets)
    at = zip(chunk.items, chunk.origins[::targets], strict=True)
    return sum(cut.is_old(panel, item, int(origin)) for item, origins in at for origin in origins)
