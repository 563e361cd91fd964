"""Forecasts beyond the horizon that a model was trained for: its own forecasts become history, on several paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chronos_training.config.fields import UPSTREAM_LEVELS
from chronos_training.config.schema import TrainingConfig
from chronos_training.evaluation.forecasts import Array
from chronos_training.families.base import Family, History


def rolled_out(
    family: Family,
    model: Any,
    histories: Sequence[History],
    config: TrainingConfig,
    horizon: int,
    check: Callable[[], None],
) -> Array:
    """Return quantiles (histories, targets, levels, horizon) of all levels that the model was trained on, those of `config`.

    A `horizon` longer than the configured one is forecast as in upstream's pipelines (Chronos-Bolt's `predict`): each level of
    0.1 … 0.9 is a path, whose history is extended by that quantile of a block; the next block's quantiles are those of the
    mixture of the forecasts on all paths. The `known` of the histories covers the whole horizon.
    """
    learnt, block = list(config.forecast.quantile_levels), config.forecast.prediction_length

    def predicted(some: Sequence[History]) -> Array:
        return np.sort(family.predict(model, [_ahead(one, block) for one in some], config, check), axis=2)

    levels = [level for level in UPSTREAM_LEVELS if level in learnt] or learnt
    chosen, weights = [learnt.index(level) for level in levels], np.outer(_shares(levels), _shares(learnt)).ravel()
    blocks = [predicted(histories)]
    paths = [one for one in histories for _ in levels]
    for _ in range(block, horizon, block):
        # (histories, targets, levels, block) to one (targets, block) for each path
        values = blocks[-1][:, :, chosen].swapaxes(1, 2)
        values = values.reshape(len(paths), *values.shape[2:])
        paths = [_grown(one, more, config.model.context_length) for one, more in zip(paths, values, strict=True)]
        found = predicted(paths)
        found = found.reshape(len(histories), len(levels), *found.shape[1:])
        blocks.append(_mixed(found, weights, learnt))
    return np.concatenate(blocks, axis=3)[..., :horizon]


def _shares(levels: Sequence[float]) -> Array:
    """Return the probability mass that each quantile represents."""
    middles = (np.array(levels[1:]) + np.array(levels[:-1])) / 2
    return np.diff([0.0, *middles, 1.0])


def _mixed(found: Array, weights: Array, levels: Sequence[float]) -> Array:
    """Return the quantiles (histories, targets, levels, block) of mixtures of `found` (histories, paths, targets, levels, block)."""
    values = found.transpose(0, 2, 4, 1, 3)
    shape = values.shape[:3]
    values = values.reshape(-1, len(weights))
    order = np.argsort(values, axis=1, kind="stable")
    sorted_values, share = np.take_along_axis(values, order, axis=1), weights[order]
    reached = np.cumsum(share, axis=1) - share / 2
    out = np.array([np.interp(levels, at, row) for at, row in zip(reached, sorted_values, strict=True)])
    return out.reshape(*shape, len(levels)).swapaxes(2, 3)


def _grown(history: History, values: Array, longest: int) -> History:
    """Return the history with `values` (targets, block) appended; past covariates are missing there."""
    length, block = history.target.shape[1], values.shape[1]
    kept = min(length + block, longest)
    target = np.concatenate([history.target, values.astype(np.float32)], axis=1)[:, -kept:]
    past = np.pad(history.past, ((0, 0), (0, block)), constant_values=np.nan)[:, -kept:]
    return replace(history, target=target, past=past, known=history.known[:, length + block - kept :])


def _ahead(history: History, block: int) -> History:
    """Return the history with known covariates for one block; beyond their end they are missing."""
    length = history.target.shape[1] + block
    known = history.known[:, :length]
    return replace(history, known=np.pad(known, ((0, 0), (0, length - known.shape[1])), constant_values=np.nan))
