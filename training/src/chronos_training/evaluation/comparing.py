"""The forecasters' losses side by side, by item and window period: the input of every verdict and interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chronos_training.evaluation.metrics import Scores, number
from chronos_training.evaluation.relative import Losses, Ratio, ratio
from chronos_training.evaluation.resampling import Resampling

Array = np.ndarray


@dataclass(frozen=True)
class Comparing:
    """`items` (rows,) and `periods` (rows, windows) say where a loss belongs; rows outside `compared` are not compared.

    `seen` (rows, windows) counts observations. `sampled` (rows,) has, for a forecaster that does not forecast all rows, those
    that it does: it is compared on them.
    """

    scores: dict[str, Scores]
    items: Array
    periods: Array
    seen: Array
    compared: Array
    how: Resampling
    sampled: dict[str, Array] = field(default_factory=dict)

    def by_wql(self, own: str, other: str) -> Ratio | None:
        """Return the comparison of two forecasters by quantile loss. WQL's denominator, the actual values, cancels out."""
        there = self.seen > 0
        for name in (own, other):
            if name in self.sampled:
                there = there & self.sampled[name][:, None]
        mine, its = (np.where(there, self.scores[name].by_window("loss"), 0.0) for name in (own, other))
        return self._ratio(mine, its, there)

    def by_mase(self, own: str, other: str) -> Ratio | None:
        """Return the comparison of two forecasters by MASE, where it is defined."""
        values = [self.scores[name].by_window("mase") for name in (own, other)]
        there = np.isfinite(values[0]) & np.isfinite(values[1])
        mine, its = (np.where(there, one, 0.0) for one in values)
        return self._ratio(mine, its, there)

    def _ratio(self, own: Array, other: Array, there: Array) -> Ratio | None:
        rows = self.compared
        mine, its, seen = (self.spread(values * 1.0)[rows] for values in (own, other, there))
        return ratio(Losses(mine, its, seen, self.items[rows]), self.how)

    def spread(self, values: Array) -> Array:
        """Return values (rows, windows) summed by period: (rows, periods)."""
        out = np.zeros((len(values), self.how.dates))
        np.add.at(out, (np.arange(len(values))[:, None], self.periods), values)
        return out

    def covered(self, name: str) -> tuple[Array, Array]:
        """Count observations inside a forecaster's outer interval, and all observations, by item and period: (items, periods).

        A series that never changes is left out: there, rounding decides whether a value lies inside.
        """
        found, rows = [], self.compared
        own, place = np.unique(self.items[rows], return_inverse=True)
        for values in (self.scores[name].by_window("inside"), self.seen):
            out = np.zeros((len(own), self.how.dates))
            np.add.at(out, place, self.spread(values * 1.0)[rows])
            found.append(out)
        return found[0], found[1]

    def by_period(self, name: str, other: str) -> list[dict[str, Any]]:
        """Return for each period the pooled ratio of the losses, the number of items with a lower loss, and the coverage."""
        own, base = (self.spread(self.scores[one].by_window("loss")) for one in (name, other))
        inside, seen = (values.sum(axis=0) for values in self.covered(name))
        out = []
        for period in range(self.how.dates):
            there = self.spread(self.seen * 1.0)[:, period] > 0
            mine, its = own[there, period], base[there, period]
            out.append(
                {
                    "relative_wql": float(mine.sum() / its.sum()) if its.sum() > 0 else None,
                    "series_won": int((mine < its).sum()),
                    "series": int(there.sum()),
                    "coverage": number(float(inside[period] / seen[period])) if seen[period] else None,
                }
            )
        return out
