"""Training windows, drawn by (seed, index).

Window number i is the same whoever asks for it, in any order, in any process. A resumed run therefore continues with
exactly the windows that the interrupted one would have seen, and parallel ranks can share the indices without overlap.
"""

from __future__ import annotations

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import DataError
from chronos_training.data.contexts import Cut, narrowed
from chronos_training.data.panel import Panel
from chronos_training.data.synthetic.mixing import MIXED, Array, Stream, generator, kernel_synth, mix

Window = dict[str, Array]
# Streams of random numbers: what a window is, and what the synthetic series are.
_WINDOW, _SYNTHETIC = 0, 1


def window(cut: Cut, panel: Panel, item: int, origin: int) -> Window:
    """Return the window whose history ends before position `origin` of a series.

    `context` (columns, context_length) has the targets first, then past and known covariates; a short history is padded with
    NaN at its begin. `future_target` (targets, horizon), `known` (known covariates, horizon), all float32, and all without
    the levels that `Cut.history` takes off.
    """
    context, levels = cut.history(panel, item, origin)
    if context.shape[1] < cut.context:
        context = np.pad(context, ((0, 0), (cut.context - context.shape[1], 0)), constant_values=np.nan)
    end, targets, known = origin + cut.horizon, len(panel.targets), len(panel.known)
    return {
        "context": narrowed(context, levels),
        "future_target": narrowed(panel.block(item, panel.targets, origin, end), levels[:targets]),
        "known": narrowed(panel.block(item, panel.known, origin, end), levels[len(levels) - known :]),
    }


class TrainingWindows:
    """Map-style dataset of `steps` x `batch_size` windows (see `window`).

    Series are drawn with equal chance, then the origin uniformly among those with a whole horizon and at least the
    shortest context. Configured shares of the windows come from synthetic series or are mixtures instead.
    Missing observations stay NaN unless a rule fills the history: the model masks them.
    """

    def __init__(self, panel: Panel, config: TrainingConfig) -> None:
        """`panel` is usable (see data.usable). What lies in its held-out or validation part is never read."""
        self._panel, self._cut = panel, Cut.of(config, panel.manifest)
        self._learnt = panel.lengths - config.held_out_length - config.validation_length
        self._shortest = config.model.shortest_context
        self._how = config.training
        self._random = Stream(self._how.seed, _WINDOW)
        shortest = int(self._learnt.min()) if len(panel) else 0
        if shortest < self._shortest + self._cut.horizon:
            raise DataError(
                f"The shortest series has {shortest} observations to train on, but context and horizon need "
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
        return window(self._cut, self._panel, *self.place(random))

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
            one = window(self._cut, self._panel, *self.place(random))
            parts.append(np.concatenate([one["context"][0], one["future_target"][0]]))
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
        self._panel, self._cut = panel, Cut.of(config, panel.manifest)
        self._windows = config.training.validation_windows
        self._first = panel.lengths - config.held_out_length - config.validation_length

    def __len__(self) -> int:
        return len(self._panel) * self._windows

    def __getitem__(self, index: int) -> Window:
        item, number = divmod(index, self._windows)
        return window(self._cut, self._panel, item, int(self._first[item]) + number * self._cut.horizon)
