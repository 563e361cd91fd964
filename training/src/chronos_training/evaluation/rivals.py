"""Which series AutoETS, AutoTheta and Croston are fitted to: all of them, or a sample that fits the time budget.

The seed draws the sample, and an estimate of the time, not a clock, sets its size: the same run compares the same series on
every machine. All rivals share the sample, except Croston, which gets its intermittent series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import Array, Chunk
from chronos_training.evaluation.statistical import MODELS, Pool, fitted_length, seconds

# At least so many series in a sample, however long they take: fewer than six allow no verdict (see `relative.FEWEST`).
FEWEST = 12
# From this share of zeros on, demand counts as intermittent: an average interval of 1.32 between demands (Syntetos, Boylan &
# Croston 2005, J. Oper. Res. Soc. 56).
INTERMITTENT = 1 - 1 / 1.32
_SAMPLE = 7  # this module's stream of random numbers


class Rivals:
    """The statistical models to compare with, each with the rows (series) that it forecasts."""

    def __init__(self, panel: Panel, config: TrainingConfig, names: Sequence[str] | None = None) -> None:
        """`panel` is what is evaluated; `names` are the wanted rivals, by default evaluation.baselines."""
        self._levels, self._horizon = list(config.forecast.quantile_levels), config.forecast.prediction_length
        self._season = config.season_length(panel.manifest)
        wanted = [name for name in MODELS if name in (config.evaluation.baselines if names is None else names)]
        chosen = sample(panel, config, [name for name in wanted if name != "croston"], self._season)
        self.rows: dict[str, Array] = {name: chosen for name in wanted if name != "croston"}
        if "croston" in wanted:
            some = chosen & intermittent(panel, config)
            if some.sum() >= min(6, panel.rows):
                self.rows["croston"] = some
        self.stand_ins = dict.fromkeys(self.rows, 0)

    def forecast(self, chunk: Chunk, pool: Pool, check: Callable[[], None]) -> None:
        """Add the forecasts to a chunk. Rows outside the sample are NaN; `chunk.sampled` has those inside."""
        for name, rows in self.rows.items():
            here = rows[chunk.rows.start : chunk.rows.stop]
            out = np.full((*chunk.actual.shape[:2], len(self._levels), self._horizon), np.nan)
            histories = [chunk.histories[place] for place in np.flatnonzero(here)]
            if histories:
                found, replaced = pool.forecast(name, histories, self._horizon, self._levels, self._season, check)
                out[here] = found
                self.stand_ins[name] += replaced
            chunk.quantiles[name], chunk.sampled[name] = out, here

    def said(self) -> dict[str, dict[str, int]]:
        """Return for each rival on how many series it was compared, and for how many seasonal naive took its place."""
        return {
            name: {"series": int(rows.sum()), "of": len(rows), "stand_ins": self.stand_ins[name]}
            for name, rows in self.rows.items()
        }


def sample(panel: Panel, config: TrainingConfig, names: list[str], season: int) -> Array:
    """Return the mask (rows,) of the panel's rows that fit into `evaluation.rivals_seconds`."""
    first = np.repeat(panel.lengths, len(panel.targets)) - config.held_out_length
    lengths, place = np.unique([fitted_length(int(one), season) for one in first], return_inverse=True)
    each = np.array([sum(seconds(name, int(length), season) for name in names) for length in lengths])
    cost = each[place] * config.evaluation.windows
    order = np.random.default_rng([config.training.seed, _SAMPLE]).permutation(panel.rows)
    fits = np.cumsum(cost[order]) <= config.evaluation.rivals_seconds
    fits[:FEWEST] = True
    out = np.zeros(panel.rows, dtype=bool)
    out[order[fits]] = True
    return out


def intermittent(panel: Panel, config: TrainingConfig) -> Array:
    """Return the mask (rows,) of rows that are never negative and often zero before the held-out part."""
    out = np.zeros(panel.rows, dtype=bool)
    for row in range(panel.rows):
        values = panel.row_values(row)
        seen = values[: len(values) - config.held_out_length]
        seen = seen[~np.isnan(seen)]
        out[row] = seen.size > 0 and bool(seen.min() >= 0) and float((seen == 0).mean()) >= INTERMITTENT
    return out
