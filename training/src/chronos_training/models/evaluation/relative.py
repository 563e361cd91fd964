"""Two forecasters compared item by item: the geometric mean of the ratios, with a bootstrap interval over items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


FEWEST = 6  # items of which an interval says something; to win all of five happens by chance once in sixteen times


@dataclass(frozen=True)
class Ratio:
    """`value` is the geometric mean of own / other over `rows` items; `won` items are lower.

    `interval` is (low, high), None for fewer than FEWEST items.
    """

    value: float
    interval: tuple[float, float] | None
    rows: int
    won: int


def ratio(
    own: Array, other: Array, *, confidence: float, samples: int, seed: int = 0, groups: Array | None = None
) -> Ratio | None:
    """Return the comparison of two metrics (rows,) of the same rows, or None when no row has both and both positive.

    Rows of one group (`groups` (rows,): the targets of one item) count as one, their mean: they move together. The
    interval is a bootstrap-t over groups (Efron & Tibshirani 1993, section 12.5): a percentile interval is too narrow for
    few of them (measured: wrong in 17 % of draws with 6, where 5 % are promised).
    """
    with np.errstate(invalid="ignore"):
        usable = (own > 0) & (other > 0)
    if not usable.any():
        return None
    logs = np.log(own[usable]) - np.log(other[usable])
    if groups is not None:
        _, place = np.unique(groups[usable], return_inverse=True)
        logs = np.bincount(place, weights=logs) / np.bincount(place)
    logs = np.sort(logs)  # what is drawn must not depend on the order of rows
    interval = None
    if len(logs) >= FEWEST:
        low, high = _interval(logs, confidence, samples, np.random.default_rng(seed))
        interval = float(np.exp(low)), float(np.exp(high))
    return Ratio(float(np.exp(logs.mean())), interval, len(logs), int((logs < 0).sum()))


def _interval(logs: Array, confidence: float, samples: int, random: np.random.Generator) -> tuple[float, float]:
    mean, root = float(logs.mean()), np.sqrt(len(logs))
    scores = []
    for _ in range(samples):  # one by one: 1,000 resamples of 100,000 rows would be a gigabyte
        drawn = logs[random.integers(len(logs), size=len(logs))]
        deviation = float(drawn.std(ddof=1))
        if deviation > 0:
            scores.append((float(drawn.mean()) - mean) * root / deviation)
    if not scores:  # all are the same
        return mean, mean
    tail, error = (1.0 - confidence) / 2.0, float(logs.std(ddof=1)) / root
    low, high = np.quantile(scores, [tail, 1.0 - tail])
    # Resamples of nearly equal values have next to no deviation and any score; the interval stays among what was seen.
    return max(mean - float(high) * error, float(logs[0])), min(mean - float(low) * error, float(logs[-1]))
