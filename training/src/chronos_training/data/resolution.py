"""What a series varies by at least: less than the resolution of its numbers is rounding, not variation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Of a value's size. A float64 has sixteen digits; a few operations on it (0.1 + 0.2, a change of unit) cost some of them.
RESOLUTION = 1e-12

Numbers = npt.NDArray[np.floating]


def noise(values: Numbers) -> float:
    """Return the difference up to which two of `values` (any shape, NaN = missing) are the same; 0 when there is none."""
    known = np.abs(values[~np.isnan(values)])
    return RESOLUTION * float(known.max()) if known.size else 0.0


def is_constant(values: Numbers) -> bool:
    """Return whether `values`, of which at least one is known, are all the same but for rounding."""
    known = values[~np.isnan(values)]
    return bool(known.size) and float(known.max() - known.min()) <= noise(known)
