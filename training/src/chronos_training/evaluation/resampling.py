"""Intervals over series and over dates at once: a two-way bootstrap of items and of blocks of window dates.

The series of a panel share the same days. A bootstrap over items alone treats what four shared holidays did to all of them
as certain. Here items and dates are drawn independently of each other, and both draws count (the pigeonhole bootstrap of Owen
2007, Annals of Applied Statistics 1(2), for data crossed in two factors). Dates are drawn in circular blocks (Politis & Romano
1992), because windows overlap and neighbouring days are alike. With few items or dates, bootstrap quantiles lie too close
together (Hesterberg 2015, The American Statistician 69(4), section 5.3). They keep their shape and are stretched to the width
of Student's t, with each factor's own degrees of freedom on its part of the variance. That is wider than Satterthwaite's single
number for both, which is too narrow with four dates (measured in docs/evaluation.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

Array = np.ndarray
# From counts of dates, for each of k resamples: the terms of numerator and denominator, each (items, k).
Terms = Callable[[Array], tuple[Array, Array]]
AT_ONCE = 2_000_000  # numbers in one array: 16 MB, whatever the number of items


@dataclass(frozen=True)
class Estimate:
    """A statistic and its interval (low, high), which is None with fewer than two items or two blocks of dates."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Resampling:
    """How to draw: `dates` in blocks of `block` dates, `samples` times, for intervals of `confidence`."""

    dates: int
    block: int
    confidence: float
    samples: int
    seed: int = 0

    @property
    def blocks(self) -> float:
        """Return the number of blocks that do not overlap: at most so many dates are independent."""
        return self.dates / self.block

    def estimate(self, items: int, terms: Terms, *, log: bool = False) -> Estimate | None:
        """Return the sum of top / the sum of bottom over items (its logarithm with `log`), or None if the bottom is zero.

        `terms` gets counts of dates (dates, k) and returns top and bottom (items, k).
        """
        top, bottom = (part[:, 0] for part in terms(np.ones((self.dates, 1))))
        if not bottom.sum() > 0 or (log and not top.sum() > 0):
            return None
        plain = float(top.sum() / bottom.sum())
        value = math.log(plain) if log else plain
        if items < 2 or self.blocks < 2:
            return Estimate(value, None)
        # The variance from items alone, by linearization (Cochran 1977, section 6.4); of the logarithm, by the delta method.
        apart = (top - plain * bottom) / bottom.mean()
        of_items = float(apart.var(ddof=1)) / items / (plain**2 if log else 1.0)
        both, dates_only = [], []
        for dates, drawn in self._draws(items):
            tops, bottoms = terms(dates)
            both.append(_ratio(np.einsum("ik,ik->k", tops, drawn), np.einsum("ik,ik->k", bottoms, drawn), log))
            dates_only.append(_ratio(tops.sum(axis=0), bottoms.sum(axis=0), log))
        of_dates = _variance(np.concatenate(dates_only)) * self.blocks / (self.blocks - 1.0)
        return Estimate(value, self._interval(value, np.concatenate(both), of_items, of_dates, items))

    def _interval(
        self, value: float, drawn: Array, of_items: float, of_dates: float, items: int
    ) -> tuple[float, float]:
        drawn, tail = drawn[np.isfinite(drawn)], (1.0 - self.confidence) / 2.0
        low, high = np.quantile(drawn, [tail, 1.0 - tail]) - drawn.mean() if len(drawn) else (0.0, 0.0)
        reach = math.hypot(
            float(stdtrit(items - 1, 1.0 - tail)) * math.sqrt(of_items),
            float(stdtrit(self.blocks - 1.0, 1.0 - tail)) * math.sqrt(of_dates),
        )
        if reach <= 0.0 or high <= low:
            return value, value
        stretch = 2.0 * reach / (high - low)
        return value + stretch * float(low), value + stretch * float(high)

    def _draws(self, items: int) -> Iterator[tuple[Array, Array]]:
        """Yield counts of drawn dates (dates, k) and of drawn items (items, k), k resamples at a time."""
        random = np.random.default_rng(self.seed)
        each = max(1, min(self.samples, AT_ONCE // max(items, self.dates)))
        pieces = math.ceil(self.blocks)
        for begin in range(0, self.samples, each):
            k = min(each, self.samples - begin)
            starts = random.integers(self.dates, size=(k, pieces, 1))
            places = ((starts + np.arange(self.block)) % self.dates).reshape(k, -1)[:, : self.dates]
            yield _counts(places, self.dates), _counts(random.integers(items, size=(k, items)), items)


def _counts(places: Array, size: int) -> Array:
    """Return how often each of `size` places occurs in each row of `places` (k, n), as (size, k)."""
    k = len(places)
    found = np.bincount((places + np.arange(k)[:, None] * size).ravel(), minlength=k * size)
    return np.asarray(found.reshape(k, size).T, dtype=float)


def _ratio(top: Array, bottom: Array, log: bool) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = top / bottom
        return np.asarray(np.log(ratio) if log else ratio)


def _variance(values: Any) -> float:
    values = values[np.isfinite(values)]
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
