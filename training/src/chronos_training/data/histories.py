"""How much of its series a dataset can be learnt from: what a launch needs to know of it without reading it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.data.resolution import RESOLUTION


def histories(frame: pd.DataFrame, targets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return for each target, in observations counted from the end of a series:

    `known`: since its first value, `changed`: since it first varies (0: never), each as [fewest, most] over the series;
    `incomplete`: how many series lack a value; `first`: the series that has the fewest, or is the first to lack one. `frame` is a panel sorted by item_id, with every row of its grid.

    With n observations held out, a series of `known` <= n has nothing to learn from, one of `changed` <= n one value.
    """
    item = frame["item_id"].to_numpy()
    begins = np.flatnonzero(np.append(True, item[1:] != item[:-1]))
    lengths = np.diff(np.append(begins, len(item)))
    place = np.arange(len(item)) - np.repeat(begins, lengths)
    found = {}
    for target in targets:
        values = frame[target].to_numpy(dtype=float)
        there = ~np.isnan(values)
        first = np.minimum.reduceat(np.where(there, place, np.repeat(lengths, lengths)), begins)
        # A series without any value is compared with its last row, which is empty.
        start = np.repeat(values[begins + np.minimum(first, lengths - 1)], lengths)
        with np.errstate(invalid="ignore"):
            varies = np.abs(values - start) > RESOLUTION * np.maximum(np.abs(values), np.abs(start))
        changed = lengths - np.minimum.reduceat(np.where(varies, place, np.repeat(lengths, lengths)), begins)
        known = lengths - first
        incomplete = np.logical_or.reduceat(~there, begins)
        places = {"known": known.argmin(), "changed": changed.argmin(), "incomplete": incomplete.argmax()}
        found[target] = {
            "known": [int(known.min()), int(known.max())],
            "changed": [int(changed.min()), int(changed.max())],
            "incomplete": int(incomplete.sum()),
            "first": {what: str(item[begins[at]]) for what, at in places.items()},
        }
    return found
