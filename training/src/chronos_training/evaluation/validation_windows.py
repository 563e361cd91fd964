"""Forecasts of the windows before the held-out part, to which recalibration and combination weights are fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.evaluation import metrics
from chronos_training.evaluation.baselines import seasonal_naive
from chronos_training.evaluation.combine import FEWEST, Combination, fit_weights
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Array, Chunk, chunk_of
from chronos_training.evaluation.recalibration import Fitted, fitted
from chronos_training.evaluation.rivals import Rivals
from chronos_training.evaluation.seen import seen_windows
from chronos_training.evaluation.statistical import Pool
from chronos_training.evaluation.verdict import NAMES
from chronos_training.families.task import Task

# At most so many series, spread evenly over the panel, are used: more would move a quantile by less than 1 %.
MOST_SERIES = 2000


@dataclass(frozen=True)
class Seen:
    """Actual values of the validation windows (rows, windows, horizon), their forecasts, and the scales of the series."""

    actual: Array
    quantiles: Array
    scales: Array


def before_held_out(panel: Panel, config: TrainingConfig) -> tuple[Panel, TrainingConfig]:
    """Return a panel that ends where the held-out part begins, and a configuration whose windows are the validation windows.

    Training never sees the horizons of these windows (see `models.windows.ValidationWindows`).
    """
    own = config.evaluation.model_copy(update={"windows": config.training.validation_windows, "stride": None})
    items = np.unique(np.linspace(0, len(panel) - 1, min(len(panel), MOST_SERIES)).astype(int))
    shorter = replace(panel.only(items), lengths=panel.lengths[items] - config.held_out_length)
    return shorter, config.model_copy(update={"evaluation": own})


def scales_of(chunk: Chunk, season: int) -> Array:
    """Return MASE's scale for each row at each origin: (rows, windows)."""
    return np.array([[metrics.seasonal_scale(history, season) for history in row] for row in chunk.histories])


@dataclass(frozen=True)
class Validated:
    """The results of the validation windows: the recalibration of quantiles and the weights of a combination."""

    fitted: Fitted
    combination: Combination | None

    @classmethod
    def of(cls, content: dict[str, Any]) -> Validated:
        """Return what was stored as JSON (dataclasses.asdict)."""
        combination = content["combination"]
        return cls(Fitted.of(content["fitted"]), Combination(**combination) if combination else None)


def validated(
    forecast: Callable[[Panel, TrainingConfig, Chunk], Array],
    panel: Panel,
    config: TrainingConfig,
    check: Callable[[], None],
    parent: Task | None = None,
) -> Validated:
    """Return what follows from a model's forecasts of the validation windows.

    `forecast` takes panel, configuration and chunk; its model was not trained on the horizons of those windows, unless its base
    model was: `parent` is the task of that.
    """
    how = config.evaluation
    none = ""
    if not config.training.validation_windows:
        none = "training.validation_windows is 0, so there are no unseen windows to fit to."
    elif parent is not None and seen_windows(parent, *before_held_out(panel, config)):
        none = "the base model was trained on the validation windows, so its errors there are smaller than later ones."
    if none:
        weights = Combination(None, f"Not combined: {none}") if how.combine else None
        return Validated(Fitted(None, f"Not recalibrated: {none}"), weights)
    if how.recalibrate == "never" and not how.combine:
        return Validated(Fitted(None, "Not recalibrated: evaluation.recalibrate is never."), None)
    earlier, own = before_held_out(panel, config)
    chunk = chunk_of(earlier, range(len(earlier)), own)
    quantiles = forecast(earlier, own, chunk)
    season = config.season_length(panel.manifest)
    scales, levels = scales_of(chunk, season), list(config.forecast.quantile_levels)
    if how.recalibrate == "never":
        found = Fitted(None, "Not recalibrated: evaluation.recalibrate is never.")
    else:
        found = fitted(quantiles, chunk.actual, scales, levels, always=how.recalibrate == "always")
    if not how.combine:
        return Validated(found, None)
    chunk.quantiles[MODEL] = found.recalibration.apply(quantiles, scales) if found.recalibration else quantiles
    return Validated(found, _combination(chunk, earlier, own, scales, season, check))


def _combination(
    chunk: Chunk, panel: Panel, config: TrainingConfig, scales: Array, season: int, check: Callable[[], None]
) -> Combination:
    levels, horizon = list(config.forecast.quantile_levels), config.forecast.prediction_length
    members: list[str] = list(config.evaluation.combine)
    chunk.quantiles[SEASONAL_NAIVE] = np.array(
        [[seasonal_naive(history, horizon, levels, season) for history in row] for row in chunk.histories]
    )
    with Pool() as pool:
        Rivals(panel, config, members).forecast(chunk, pool, check)
    there = np.ones(len(chunk.rows), bool)
    for name in members:
        there &= chunk.sampled.get(name, True)
    usable = there & (~np.isnan(chunk.actual)).any(axis=(1, 2)) & ~np.isnan(scales).all(axis=1)
    if usable.sum() < FEWEST:
        return Combination(None, f"Not combined: fewer than {FEWEST} series in the validation windows.")
    own: dict[str, Array] = {name: chunk.quantiles[name][usable] for name in members}
    weights = fit_weights(own, chunk.actual[usable], scales[usable], levels)
    told = ", ".join(
        f"{weight * 100:.0f} % of {(NAMES | {MODEL: 'this model'})[name]}" for name, weight in weights.items()
    )
    return Combination(
        weights,
        f"Combined: {told}; the weights were fitted to {int(usable.sum()):,} series in {chunk.actual.shape[1]} validation windows.",
    )
