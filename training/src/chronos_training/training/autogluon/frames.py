"""A panel as AutoGluon's long table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from autogluon.timeseries import TimeSeriesDataFrame

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.contexts import fill_missing
from chronos_training.data.grid import pandas_stamps
from chronos_training.data.panel import Panel


def learnt(panel: Panel, config: TrainingConfig) -> Any:
    """Return the part of every series that training may see, as a TimeSeriesDataFrame."""
    return until(panel, range(len(panel)), panel.lengths - config.held_out_length, config)


def until(panel: Panel, items: Sequence[int], ends: Sequence[int] | np.ndarray, config: TrainingConfig) -> Any:
    """Return the observations of some series before a position of each, with the configured rule for gaps."""
    names = (*panel.targets, *panel.past, *panel.known)
    blocks = [_block(panel, item, names, 0, int(end)) for item, end in zip(items, ends, strict=True)]
    if config.dataset.missing_values != "keep":
        blocks = [fill_missing(block, config.dataset.missing_values) for block in blocks]
    return _frame(panel, items, names, blocks, [0] * len(blocks))


def ahead(panel: Panel, items: Sequence[int], origins: Sequence[int] | np.ndarray, horizon: int) -> Any:
    """Return the known covariates of the horizon after an origin of each series; None without such covariates."""
    if not panel.known:
        return None
    begins = [int(origin) for origin in origins]
    blocks = [_block(panel, i, panel.known, b, b + horizon) for i, b in zip(items, begins, strict=True)]
    return _frame(panel, items, panel.known, blocks, begins)


def _block(panel: Panel, item: int, names: Sequence[str], begin: int, end: int) -> np.ndarray:
    return np.stack([np.asarray(panel.values(item, name)[begin:end], dtype=float) for name in names])


def _frame(
    panel: Panel, items: Sequence[int], names: Sequence[str], blocks: list[np.ndarray], begins: list[int]
) -> Any:
    stamps = [
        pandas_stamps(panel.timestamps(item, begin, begin + block.shape[1]).to_numpy(), panel.freq)
        for item, begin, block in zip(items, begins, blocks, strict=True)
    ]
    index = pd.MultiIndex.from_arrays(
        [
            np.repeat(np.array([panel.item_ids[item] for item in items], dtype=object), [len(s) for s in stamps]),
            np.concatenate(stamps),
        ],
        names=["item_id", "timestamp"],
    )
    values = np.concatenate(blocks, axis=1)
    return TimeSeriesDataFrame(pd.DataFrame(dict(zip(names, values, strict=True)), index=index))
