"""Training windows, drawn by (seed, index).

Window number i is the same whoever asks for it, in any order, in any process. A resumed run therefore goes on with
exactly the windows that the interrupted one would have seen, and parallel ranks can share the indices without overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import DataError
from chronos_training.data.panel import Panel
from chronos_training.models.synthetic import MIXED, Array, Stream, generator, kernel_synth, mix

Window = dict[str, Array]
# Streams of random numbers: what a window is, and what the synthetic series are.
_WINDOW, _SYNTHETIC = 0, 1


@dataclass(frozen=True)
class Cut:
    """How windows are cut: lengths in observations."""

    context: int
    horizon: int
    missing: str = "keep"

    @classmethod
    def of(cls, config: TrainingConfig) -> Cut:
        """Return what a configuration says."""
        return cls(config.model.context_length, config.forecast.prediction_length, config.dataset.missing_values)

    def window(self, panel: Panel, item: int, origin: int) -> Window:
        """Return the window whose history ends before position `origin` of a series.

        `context` (columns, context_length) has the targets first, then past and known covariates; a short history is padded with NaN at its
        begin. `future_target` (targets, horizon), `known` (known covariates, horizon), all float32.
        """
        begin = max(0, origin - self.context)
        names = (*panel.targets, *panel.past, *panel.known)
        context = panel.block(item, names, begin, origin)
        if self.missing != "keep":
            context = fill_missing(context, self.missing)
        if context.shape[1] < self.context:
            context = np.pad(context, ((0, 0), (self.context - context.shape[1], 0)), constant_values=np.nan)
        end = origin + self.horizon
        return {
            "context": context,
            "future_target": panel.block(item, panel.targets, origin, end),
            "known": panel.block(item, panel.known, origin, end),
        }


def fill_missing(context: Array, rule: str) -> Array:
    """Return the history (columns, length) with its gaps filled from the history alone; all-missing columns stay."""
    out = context.copy()
    places = np.arange(out.shape[1])
    for row in out:
        there = ~np.isnan(row)
        if there.all() or not there.any():
            continue
        if rule == "interpolate":
            row[:] = np.interp(places, places[there], row[there])
        else:
            last = np.maximum.accumulate(np.where(there, places, -1))
            row[last >= 0] = row[last[last >= 0]]
    return out


class TrainingWindows:
    """Map-style dataset of `steps` x `batch_size` windows (see `Cut.window`).

    Series are drawn with equal chance, then the origin uniformly among those with a whole horizon and at least the
    shortest context. Configured shares of the windows come from synthetic series or are mixtures instead.
    Missing observations stay NaN unless a rule fills the history: the model masks them.
    """

    def __init__(self, panel: Panel, config: TrainingConfig) -> None:
        """`panel` is usable (see data.usable). What lies in its held-out or validation part is never read."""
        self._panel, self._cut = panel, Cut.of(config)
        self._learnt = panel.lengths - config.held_out_length - config.validation_length
        self._shortest = config.model.shortest_context
        self._how = config.training
        self._random = Stream(self._how.seed, _WINDOW)
        shortest = int(self._learnt.min()) if len(panel) else 0
        if shortest < self._shortest + self._cut.horizon:
            raise DataError(
                f"The shortest series has {shortest} observations to learn from; context and horizon need "
                f"{self._shortest + self._cut.horizon}."
            )
        self._synthetic = self._make_synthetic() if self._how.synthetic_share else []

    def __len__(self) -> int:
        return self._how.steps * self._how.batch_size

    def __getitem__(self, index: int) -> Window:
        random = self._random.at(index)
        kind = random.random() if self._how.synthetic_share or self._how.mixup_share else 1.0
        if kind < self._how.synthetic_share:
            series = self._synthetic[int(random.integers(len(self._synthetic)))]
            return self._of_series(series)
        if kind < self._how.synthetic_share + self._how.mixup_share:
            return self._mixture(random)
        return self._cut.window(self._panel, *self.place(random))

    def locate(self, index: int) -> tuple[int, int]:
        """Return (series, origin) of window `index` when all windows are real."""
        return self.place(self._random.at(index))

    def place(self, random: np.random.Generator) -> tuple[int, int]:
        """Draw (series, origin)."""
        item = int(random.integers(len(self._panel)))
        last = int(self._learnt[item]) - self._cut.horizon
        # Full histories where the series has them; else what it has, and the window is padded.
        first = min(max(self._shortest, min(self._cut.context, last)), last)
        return item, int(random.integers(first, last + 1))

    def _mixture(self, random: np.random.Generator) -> Window:
        parts = []
        for _ in range(int(random.integers(1, MIXED + 1))):
            window = self._cut.window(self._panel, *self.place(random))
            parts.append(np.concatenate([window["context"][0], window["future_target"][0]]))
        return self._of_series(mix(random, parts))

    def _of_series(self, series: Array) -> Window:
        """Return a window of one column; the others of a panel with several are missing in it."""
        panel, length = self._panel, self._cut.context
        columns = len(panel.targets) + len(panel.past) + len(panel.known)
        context = np.full((columns, length), np.nan, dtype=np.float32)
        future = np.full((len(panel.targets), self._cut.horizon), np.nan, dtype=np.float32)
        context[0], future[0] = series[:length], series[length:]
        known = np.full((len(panel.known), self._cut.horizon), np.nan, dtype=np.float32)
        return {"context": context, "future_target": future, "known": known}

    def _make_synthetic(self) -> list[Array]:
        length = self._cut.context + self._cut.horizon
        count = self._how.synthetic_series
        return [kernel_synth(generator(self._how.seed, _SYNTHETIC, i), length) for i in range(count)]


class ValidationWindows:
    """The windows between the learnt and the held-out part of every series, in order: what chooses the best checkpoint."""

    def __init__(self, panel: Panel, config: TrainingConfig) -> None:
        """Training never touches the horizon of these windows."""
        self._panel, self._cut = panel, Cut.of(config)
        self._windows = config.training.validation_windows
        self._first = panel.lengths - config.held_out_length - config.validation_length

    def __len__(self) -> int:
        return len(self._panel) * self._windows

    def __getitem__(self, index: int) -> Window:
        item, window = divmod(index, self._windows)
        return self._cut.window(self._panel, item, int(self._first[item]) + window * self._cut.horizon)
