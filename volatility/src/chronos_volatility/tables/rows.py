"""Rows of partitions by the partitions' names: what was read or written just now, and what a snapshot has of earlier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from chronos_volatility.tables.encoding import History


@dataclass(frozen=True)
class _Place:
    block: int
    begin: int
    count: int
    history: History


class KnownRows:
    """The rows and the history of partitions, by name. Tables of thousands of partitions are kept whole."""

    def __init__(self) -> None:
        """Begin with none."""
        self._blocks: list[pa.Table] = []
        self._places: dict[str, _Place] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, table: pa.Table, parts: Iterable[tuple[str, int, History]]) -> None:
        """Add `table`, whose rows are those of `parts` in order: each part's name, number of rows and history."""
        begin = 0
        for key, count, history in parts:
            self._places[key] = _Place(len(self._blocks), begin, count, history)
            begin += count
        self._blocks.append(table)

    def take_over(self, other: KnownRows | None) -> None:
        """Add what `other` knows."""
        if other is not None:
            table, parts = other.rows(list(other._places))
            if table is not None:
                self.add(table, parts)

    def history(self, key: str) -> History:
        """Return the history of a partition that is known. KeyError."""
        return self._places[key].history

    def rows(self, keys: list[str]) -> tuple[pa.Table | None, list[tuple[str, int, History]]]:
        """Return the rows of `keys`, block by block, and the parts as `add` takes them; None when there are no rows.

        Where blocks have different columns, the result has all of them.
        """
        by_block: dict[int, list[str]] = {}
        for key in keys:
            by_block.setdefault(self._places[key].block, []).append(key)
        tables, parts = [], []
        for block, names in by_block.items():
            places = [self._places[name] for name in names]
            wanted = np.concatenate([np.arange(one.begin, one.begin + one.count) for one in places])
            whole = len(wanted) == self._blocks[block].num_rows and (wanted == np.arange(len(wanted))).all()
            tables.append(self._blocks[block] if whole else self._blocks[block].take(wanted))
            parts += [(name, one.count, one.history) for name, one in zip(names, places, strict=True)]
        if not tables:
            return None, []
        return pa.concat_tables(tables, promote_options="default"), parts
