"""A small panel and forecasts of it, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.evaluation.baselines import BASELINES
from chronos_training.evaluation.forecasts import MODEL, Chunk, chunk_of


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "name": "small",
            "forecast": {"prediction_length": 7, "quantile_levels": [0.1, 0.5, 0.9]},
            "model": {"context_length": 28, "patch_size": 7},
            "evaluation": {"windows": 3, "report_series": 3},
        }
    )


@pytest.fixture
def panel() -> Panel:
    generator = np.random.default_rng(0)
    values = tuple(20 + 10 * i + 3 * (np.arange(120) % 7) + generator.normal(size=120) for i in range(5))
    manifest: dict[str, Any] = {
        "name": "small", "freq": "D", "digest": "a" * 64, "items": 5, "rows": 600, "start": "2020-01-01T00:00:00",
        "end": "2020-04-29T00:00:00", "source": "made <up>", "licence": "none", "notes": ["a & b"],
    }  # fmt: skip
    return panel_of(values, manifest)


def panel_of(values: Sequence[np.ndarray], manifest: dict[str, Any] | None = None) -> Panel:
    """A daily panel of one target in memory."""
    lengths = np.array([len(series) for series in values])
    return Panel(
        name="small",
        freq="D",
        item_ids=tuple("abcdefghij"[: len(values)]),
        starts=np.full(len(values), "2020-01-01", dtype="datetime64[us]"),
        offsets=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        lengths=lengths,
        columns={"target": np.concatenate(values)},
        targets=("target",),
        past=(),
        known=(),
        manifest=manifest or {},
    )


def chunk_with(panel: Panel, config: TrainingConfig, items: range) -> Chunk:
    """Held-out windows with the cheap baselines, and a "model" that knows the truth up to a little noise."""
    chunk = chunk_of(panel, items, config)
    levels = list(config.forecast.quantile_levels)
    for name, baseline in BASELINES.items():
        rows = [[baseline(history, 7, levels, 7) for history in row] for row in chunk.histories]
        chunk.quantiles[name] = np.array(rows)
    chunk.quantiles[MODEL] = chunk.actual[:, :, None, :] + np.array([-0.3, 0.1, 0.5])[None, None, :, None]
    return chunk


@pytest.fixture
def chunk(panel: Panel, config: TrainingConfig) -> Chunk:
    return chunk_with(panel, config, range(len(panel)))
