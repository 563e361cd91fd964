"""Trailing windows. A value depends on the rows of its own window only, to the last bit.

A rolling sum that adds the new and takes the old away carries rounding from all rows before: a day computed by itself
would differ from the same day in a full rebuild, and the table would refuse it as a change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A variance below this share of the 20-session mean is taken for this share: where high equals low the range was not
# recorded, or was below a tick, and the logarithm of nothing would outweigh every other row.
LEAST_SHARE = 0.01
LEAST_VARIANCE = 1e-12
MONTH = 20


def total(values: Array, length: int, least: int | None = None) -> Array:
    """Return the sum of the last `length` values at each of n rows: float64 (n), NaN where the window is not complete.

    `least` values are enough if given; the sum is then scaled up from those that are there.
    """
    found = np.full(len(values), np.nan)
    if len(values) < length:
        return found
    rows = len(values) - length + 1
    summed, known = np.zeros(rows), np.zeros(rows)
    for begin in range(length):  # one order of adding, whatever rows are around
        part = values[begin : begin + rows]
        present = np.isfinite(part)
        summed += np.where(present, part, 0.0)
        known += present
    enough = known >= (length if least is None else least)
    found[length - 1 :] = np.where(enough, summed * (length / np.maximum(known, 1.0)), np.nan)
    return found


def mean(values: Array, length: int, least: int | None = None) -> Array:
    """Return the mean of the last `length` values at each row, as `total`."""
    return total(values, length, least) / length


def mean_variance(daily: Array, length: int) -> Array:
    """Return the mean of the last `length` daily variances, at least LEAST_SHARE of that of 20 sessions: float64 (n)."""
    usual = np.nan_to_num(mean(daily, MONTH), nan=0.0)
    found: Array = np.maximum(mean(daily, length), np.maximum(LEAST_SHARE * usual, LEAST_VARIANCE))
    return found
