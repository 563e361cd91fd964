"""Training windows, drawn by (seed, index).

Window number i is the same whoever asks for it, in any order, in any process. A resumed run therefore goes on with
exactly the windows that the interrupted one would have seen, and parallel ranks can share the indices without overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chronos_training.core.errors import DataError

Array = np.ndarray


def training_part(values: Sequence[Array], held_out_length: int) -> list[Array]:
    """Return each series (float64, 1-D) without its last `held_out_length` observations, as float32.

    The only data that training gets: what is not passed on cannot leak.
    """
    return [np.ascontiguousarray(series[: len(series) - held_out_length], dtype=np.float32) for series in values]


class TrainingWindows:
    """Map-style dataset of `length` windows: item i holds `context` (context_length,) and `future_target` (horizon,).

    Series are drawn with equal chance, then the origin uniformly among those with a full context and a full horizon.
    Missing observations stay NaN: the model masks them.
    """

    def __init__(
        self, series: Sequence[Array], *, context_length: int, prediction_length: int, seed: int, length: int
    ) -> None:
        """`series` are training parts (see `training_part`). DataError when one is shorter than context and horizon."""
        self._series = list(series)
        self._context, self._horizon = context_length, prediction_length
        self._seed, self._length = seed, length
        shortest = min((len(s) for s in self._series), default=0)
        if shortest < context_length + prediction_length:
            raise DataError(
                f"The shortest series has {shortest} observations to learn from; context and horizon need "
                f"{context_length + prediction_length}."
            )

    def __len__(self) -> int:
        return self._length

    def locate(self, index: int) -> tuple[int, int]:
        """Return (series, origin) of window `index`: its context ends before position `origin`."""
        # Philox is a counter-based generator: key = (seed, index) gives an independent stream for every window.
        generator = np.random.Generator(np.random.Philox(key=np.array([self._seed, index], dtype=np.uint64)))
        item = int(generator.integers(len(self._series)))
        last = len(self._series[item]) - self._horizon
        return item, int(generator.integers(self._context, last + 1))

    def __getitem__(self, index: int) -> dict[str, Array]:
        item, origin = self.locate(index)
        series = self._series[item]
        return {
            "context": series[origin - self._context : origin],
            "future_target": series[origin : origin + self._horizon],
        }
