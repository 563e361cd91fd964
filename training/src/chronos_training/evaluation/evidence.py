"""The evidence of a comparison: how many series, windows and distinct dates there are, and whether they are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.grid import grid_positions, stamps_at
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import Chunk
from chronos_training.evaluation.relative import FEWEST
from chronos_training.evaluation.resampling import Resampling

Array = np.ndarray
FEWEST_WINDOWS = 2
FEWEST_DATES = 7  # each day of the week once; four holidays are not evidence
FEWEST_BLOCKS = 4  # of dates, when neighbouring windows are grouped because they are alike
MOST_PERIODS = 64  # of windows that are kept apart; more are grouped


@dataclass(frozen=True)
class Evidence:
    """`series` counts the items that are compared; `constant` counts those that never change, which are left out."""

    series: int
    windows: int
    dates: int
    first: str
    last: str
    constant: int = 0
    apart: int | None = None  # number of windows that do not overlap; None if no windows overlap

    @property
    def missing(self) -> str | None:
        """Return why the evidence is not enough, as the start of a sentence; None if it is enough."""
        lacks = []
        if self.series < FEWEST:
            lacks.append(f"{_count(self.series, 'series', 'series')} (at least {FEWEST} are needed)")
        if self.windows < FEWEST_WINDOWS:
            lacks.append(f"{_count(self.windows, 'window', 'windows')} (at least {FEWEST_WINDOWS} are needed)")
        elif self.apart is not None and self.apart < FEWEST_WINDOWS:
            overlap = f"{self.windows} overlapping windows (at least {FEWEST_WINDOWS} without overlap are needed)"
            lacks.append(overlap)
        if self.dates < FEWEST_DATES:
            lacks.append(
                f"{_count(self.dates, 'distinct date', 'distinct dates')} (at least {FEWEST_DATES} are needed)"
            )
        if not lacks:
            return None
        single = len(lacks) == 1 and lacks[0].startswith("1 ")
        return f"{' and '.join(lacks)} {'is' if single else 'are'} too few to tell"

    @property
    def sentence(self) -> str:
        """Return the evidence in words."""
        text = (
            f"The comparison covers {_count(self.series, 'series', 'series')} with {_count(self.windows, 'window', 'windows')} "
            f"each, on {_count(self.dates, 'distinct date', 'distinct dates')} from {self.first} to {self.last}."
        )
        if self.constant:
            verb = "is" if self.constant == 1 else "are"
            text += (
                f" {self.constant:,} series that never {'changes' if self.constant == 1 else 'change'} {verb} left out."
            )
        return text

    def about(self) -> dict[str, Any]:
        """Return the evidence as JSON."""
        return {
            "series": self.series, "windows": self.windows, "dates": self.dates, "first_date": self.first,
            "last_date": self.last, "constant_series": self.constant, "enough": self.missing is None,
            "missing": self.missing, "sentence": self.sentence,
        }  # fmt: skip


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


@dataclass
class Dates:
    """Collects the dates of the windows: series need not end on the same day."""

    panel: Panel
    config: TrainingConfig
    _origins: list[Array] = field(default_factory=list)  # (rows, windows): positions on the grid of the frequency
    _seen: set[np.datetime64] = field(default_factory=set)

    def add(self, chunk: Chunk) -> None:
        """Count a chunk's windows."""
        items = np.asarray(chunk.rows) // len(self.panel.targets)
        origins = grid_positions(self.panel.starts[items], self.panel.freq).number[:, None] + chunk.origins
        self._origins.append(origins)
        steps = origins[:, :, None] + np.arange(chunk.actual.shape[2])
        self._seen.update(self._days(np.unique(steps[~np.isnan(chunk.actual)])))

    def _days(self, numbers: Array) -> Array:
        return np.unique(stamps_at(numbers, np.zeros_like(numbers), self.panel.freq).astype("datetime64[D]"))

    def evidence(self, series: int, constant: int) -> Evidence:
        """Return the evidence of a comparison of `series` items; hours of one day are one date."""
        first, last = (str(min(self._seen)), str(max(self._seen))) if self._seen else ("?", "?")
        return Evidence(
            series,
            self.config.evaluation.windows,
            len(self._seen),
            first,
            last,
            constant,
            int(self.resampling().blocks),
        )

    def periods(self) -> Array:
        """Return the number of the period in which each window begins, (rows, windows), from 0 for the earliest.

        A period is as long as the stride, counted back from the very last origin; beyond MOST_PERIODS they are grouped.
        """
        origins = np.concatenate(self._origins)
        back = (origins.max() - origins) // self.config.stride
        back = back // math.ceil((back.max() + 1) / MOST_PERIODS)
        names, place = np.unique(-back, return_inverse=True)  # a period in which no window begins does not count
        return np.asarray(place).reshape(origins.shape) if len(names) else origins

    def resampling(self) -> Resampling:
        """Return how intervals are drawn.

        A block of periods is as long as windows overlap and at least the square root of the number of periods, because
        neighbouring windows are alike. Unless windows overlap, there are at least FEWEST_BLOCKS blocks.
        """
        how, periods = self.config.evaluation, int(self.periods().max()) + 1
        overlap = math.ceil(self.config.forecast.prediction_length / self.config.stride)
        block = max(1, overlap, min(math.isqrt(periods), periods // FEWEST_BLOCKS))
        return Resampling(
            periods, min(block, periods), how.confidence, how.bootstrap_samples, self.config.training.seed
        )

    def spans(self) -> list[tuple[str, str]]:
        """Return the first and the last date of the windows that begin in each period."""
        origins, periods = np.concatenate(self._origins).ravel(), self.periods().ravel()
        horizon = self.config.forecast.prediction_length
        spans = []
        for period in range(int(periods.max()) + 1):
            inside = origins[periods == period]
            days = self._days(np.array([inside.min(), inside.max() + horizon - 1]))
            spans.append((str(days[0]), str(days[-1])))
        return spans
