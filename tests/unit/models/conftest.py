"""A small panel and forecasts of it, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.data.load import Panel
from chronos_training.models.baselines import BASELINES
from chronos_training.models.forecasts import MODEL, Forecasts, origins_of


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
    return Panel("small", "D", tuple("abcde"), (pd.Timestamp("2020-01-01"),) * 5, values, manifest)


@pytest.fixture
def forecasts(panel: Panel, config: TrainingConfig) -> Forecasts:
    """A "model" that knows the truth up to a little noise."""
    levels = [0.1, 0.5, 0.9]
    origins = [origins_of(len(s), config) for s in panel.values]
    actual = np.stack([[s[o : o + 7] for o in own] for s, own in zip(panel.values, origins, strict=True)])
    quantiles = {
        name: np.stack([[f(s[:o], 7, levels, 7) for o in own] for s, own in zip(panel.values, origins, strict=True)])
        for name, f in BASELINES.items()
    }
    quantiles[MODEL] = actual[:, :, None, :] + np.array([-0.3, 0.1, 0.5])[None, None, :, None]
    return Forecasts(levels, origins, actual, quantiles)
