"""A panel of series as flat columns, which may lie in memory or be mapped from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.data.grid import after

Array = np.ndarray


@dataclass(frozen=True)
class Panel:
    """Series of one frequency.

    `columns[name]` holds the float64 values (NaN = missing) of all series one after the other: series i is
    `offsets[i] : offsets[i] + lengths[i]`, and begins at `starts[i]` (datetime64, no zone). `targets` are forecast;
    `past` and `known` name the covariates.
    """

    name: str
    freq: str
    item_ids: Sequence[str]
    starts: Array
    offsets: Array
    lengths: Array
    columns: dict[str, Array]
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.item_ids)

    def values(self, item: int, column: str) -> Array:
        """Return the whole series (length,) of one column; a view, nothing is read yet where it is mapped."""
        begin = int(self.offsets[item])
        return self.columns[column][begin : begin + int(self.lengths[item])]

    def block(self, item: int, names: Sequence[str], begin: int, end: int) -> Array:
        """Return the observations `begin` to `end` (exclusive) of some columns, float64, shape (columns, end - begin)."""
        at = int(self.offsets[item])
        out = np.empty((len(names), end - begin))
        for row, name in enumerate(names):
            out[row] = self.columns[name][at + begin : at + end]
        return out

    def timestamps(self, item: int, begin: int, end: int) -> pd.DatetimeIndex:
        """Return the timestamps of the observations `begin` to `end` (exclusive) of series `item`."""
        # Nanoseconds, as pandas' own ranges: libraries of models take no other.
        return pd.DatetimeIndex(after(self.starts[item], np.arange(begin, end), self.freq)).as_unit("ns")

    def only(self, items: Array) -> Panel:
        """Return the panel of these series (positions); the columns stay where they are."""
        ids = [self.item_ids[i] for i in items]
        return replace(
            self, item_ids=ids, starts=self.starts[items], offsets=self.offsets[items], lengths=self.lengths[items]
        )

    @property
    def rows(self) -> int:
        """How many series are forecast: each target of each item is one."""
        return len(self) * len(self.targets)

    def row(self, number: int) -> tuple[int, str]:
        """Return (item, target column) of a forecast series."""
        item, target = divmod(number, len(self.targets))
        return item, self.targets[target]

    def row_values(self, number: int) -> Array:
        """Return the whole forecast series (length,)."""
        item, target = self.row(number)
        return self.values(item, target)

    def row_id(self, number: int) -> str:
        """Return a forecast series' name: the item's id, with the target when there are several."""
        item, target = self.row(number)
        return self.item_ids[item] if len(self.targets) == 1 else f"{self.item_ids[item]}/{target}"
