"""A model's forecasts combined with those of its rivals, by the weights that its training stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.evaluation.baselines import seasonal_naive
from chronos_training.evaluation.combine import Combination, combined
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Array
from chronos_training.evaluation.statistical import Pool


@dataclass(frozen=True)
class Combiner:
    """The stored weights, and what the rivals are asked for: `horizon` observations, `levels` quantiles, a season."""

    combination: Combination
    horizon: int
    levels: Sequence[float]
    season: int

    @classmethod
    def of(cls, folder: Path, horizon: int, levels: Sequence[float], season: int) -> Combiner:
        """Return what the model in `folder` was stored with. ConfigurationError when that is no combination."""
        found = Combination.load(folder)
        if found is None or found.weights is None:
            raise ConfigurationError(
                f"--combination: the model in {folder} was stored without a combination.",
                hint="Train it with evaluation.combine, for example [model, auto_ets, auto_theta, seasonal_naive].",
            )
        return cls(found, horizon, levels, season)

    def apply(self, pool: Pool, panel: Panel, at: Sequence[tuple[int, int]], own: Array) -> Array:
        """Return combined quantiles (places, targets, levels, horizon); `own` are the model's after each (item, origin)."""
        weights, levels = self.combination.weights or {}, list(self.levels)
        histories = [[panel.values(item, name)[:end]] for item, end in at for name in panel.targets]
        quantiles = {}
        for name in weights:
            if name == MODEL:
                quantiles[name] = own
                continue
            if name == SEASONAL_NAIVE:
                found = np.array([seasonal_naive(one[0], self.horizon, levels, self.season) for one in histories])
            else:
                found = pool.forecast(name, histories, self.horizon, levels, self.season, lambda: None)[0][:, 0]
            quantiles[name] = found.reshape(own.shape)
        return combined(quantiles, weights)
