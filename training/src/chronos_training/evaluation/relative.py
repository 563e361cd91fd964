"""Two forecasters compared series by series: the geometric mean of the ratios of their losses, with its interval.

A ratio is clipped to the range from 1/100 to 100, as in fev (Shchur et al. 2025, arXiv:2509.26468; `leaderboard` in its
source). If one of the two is exact, the ratio is the bound; if both are, it is 1. So such a series is lost, won or tied, and
none is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_training.evaluation.resampling import Resampling

Array = np.ndarray

FEWEST = 6  # items for a meaningful interval; winning or losing all of five happens by chance once in sixteen times
LEAST, MOST = 0.01, 100.0
ODD = np.log(10.0)  # a ratio ten times that of the median item: nearly always a series that hardly moves
ODD_SHARE = 0.05  # up to this share of the items, and always one, may be set aside to see what the others say


@dataclass(frozen=True)
class Ratio:
    """`value` is the geometric mean of own / other over `rows` items; own is lower on `won` of them and equal on `tied`.

    `pooled` is the ratio of the sums of losses over all items, so that large series weigh more. The intervals (low, high) are
    None with fewer than FEWEST items or fewer than two blocks of dates. `odd` has the positions of items over ten times away
    from the median ratio, if they are few; `without` and `without_interval` are value and interval of the others.
    """

    value: float
    interval: tuple[float, float] | None
    rows: int
    won: int
    tied: int = 0
    pooled: float | None = None
    pooled_interval: tuple[float, float] | None = None
    odd: tuple[int, ...] = ()
    without: float | None = None
    without_interval: tuple[float, float] | None = None

    @property
    def lost(self) -> int:
        """Return on how many items own is higher."""
        return self.rows - self.won - self.tied


@dataclass(frozen=True)
class Losses:
    """Losses of two forecasters, (rows, dates): summed over a row's observations at a date, zero where it has none."""

    own: Array
    other: Array
    seen: Array
    items: Array  # (rows,): the item of a row; the targets of one item move together and count as one

    def some(self, keep: Array) -> Losses:
        """Return the rows that the mask `keep` selects."""
        return Losses(self.own[keep], self.other[keep], self.seen[keep], self.items[keep])


def ratio(losses: Losses, how: Resampling) -> Ratio | None:
    """Return the comparison, or None where nothing was observed."""
    losses = losses.some(np.asarray(losses.seen.any(axis=1)))
    if not len(losses.items):
        return None
    names, item = np.unique(losses.items, return_inverse=True)
    logs = _item_logs(losses, item, len(names), np.ones((losses.own.shape[1], 1)))[:, 0]
    value, interval = _mean(losses, item, len(names), how)
    pooled, pooled_interval = _pooled(losses, item, len(names), how)
    odd = np.flatnonzero(np.abs(logs - np.median(logs)) > ODD)
    without = without_interval = None
    if 0 < len(odd) <= max(1, int(ODD_SHARE * len(names))) and len(names) - len(odd) >= FEWEST:
        rest = losses.some(~np.isin(item, odd))
        _, place = np.unique(rest.items, return_inverse=True)
        without, without_interval = _mean(rest, place, len(names) - len(odd), how)
    else:
        odd = odd[:0]
    return Ratio(
        value, interval, len(names), int((logs < 0).sum()), int((logs == 0).sum()), pooled, pooled_interval,
        tuple(int(names[i]) for i in odd), without, without_interval,
    )  # fmt: skip


def _item_logs(losses: Losses, item: Array, items: int, dates: Array) -> Array:
    """Return for counts of dates (dates, k) the mean clipped log ratio of each item's rows: (items, k), NaN without rows."""
    own, other, seen = losses.own @ dates, losses.other @ dates, losses.seen @ dates
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.clip(np.log(own) - np.log(other), np.log(LEAST), np.log(MOST))
    logs = np.where((own == 0) & (other == 0), 0.0, logs)
    if items == len(item):
        return np.asarray(np.where(seen > 0, logs, np.nan)[np.argsort(item)])
    return _divided(_by_item(np.where(seen > 0, logs, 0.0), item, items), _by_item((seen > 0) * 1.0, item, items))


def _mean(losses: Losses, item: Array, items: int, how: Resampling) -> tuple[float, tuple[float, float] | None]:
    def terms(dates: Array) -> tuple[Array, Array]:
        logs = _item_logs(losses, item, items, dates)
        return np.nan_to_num(logs), np.isfinite(logs) * 1.0

    found = how.estimate(items, terms)
    assert found is not None  # every row has observations, so the denominator is not zero
    return float(np.exp(found.value)), _exp(found.interval, items)


def _pooled(
    losses: Losses, item: Array, items: int, how: Resampling
) -> tuple[float | None, tuple[float, float] | None]:
    # Summing by item first is cheaper than doing so for each resample of dates.
    own, other = _by_item(losses.own, item, items), _by_item(losses.other, item, items)
    found = how.estimate(items, lambda dates: (own @ dates, other @ dates), log=True)
    return (None, None) if found is None else (float(np.exp(found.value)), _exp(found.interval, items))


def _exp(interval: tuple[float, float] | None, items: int) -> tuple[float, float] | None:
    if interval is None or items < FEWEST:
        return None
    low, high = np.exp(np.clip(interval, -300.0, 300.0))
    return float(low), float(high)


def _by_item(values: Array, item: Array, items: int) -> Array:
    out = np.zeros((items, values.shape[1]))
    np.add.at(out, item, values)
    return out


def _divided(top: Array, bottom: Array) -> Array:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))
