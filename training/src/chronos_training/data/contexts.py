"""The history that a model is given at an origin: the same for training, evaluation and forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.panel import Array, Panel

# A history whose values are this many times as large as they vary loses what varies in float32, which has 7 digits; and the
# bins of Chronos-T5, hundredths of the mean absolute value, do not tell such values apart.
FAR = 1000.0


@dataclass(frozen=True)
class Cut:
    """How histories and windows are cut: lengths in observations."""

    context: int
    horizon: int
    missing: str = "keep"
    season: int = 1

    @classmethod
    def of(cls, config: TrainingConfig, manifest: dict[str, Any]) -> Cut:
        """Return what a configuration says of the dataset of `manifest`."""
        return cls(
            config.model.context_length,
            config.forecast.prediction_length,
            config.dataset.missing_values,
            config.season_length(manifest),
        )

    def history(self, panel: Panel, item: int, origin: int) -> tuple[Array, Array]:
        """Return the history (columns, length) before `origin`, float64, and the levels (columns,) to take off it.

        Targets come first, then past and known covariates. Where the last `context` observations of a target are all
        missing, it has the last ones that are not (see `is_old`), moved by whole seasons; with none of the targets there,
        the covariates are those of that time, too.
        """
        names = (*panel.targets, *panel.past, *panel.known)
        begin = max(0, origin - self.context)
        context = panel.block(item, names, begin, origin)
        old = np.isnan(context[: len(panel.targets)]).all(axis=1)
        if begin and old.any():
            self._move_back(panel, item, origin, context, old)
        if self.missing not in ("keep", "refuse"):
            context = fill_missing(context, self.missing)
        return context, far_levels(context)

    def is_old(self, panel: Panel, item: int, origin: int) -> bool:
        """Return whether a target has no value among the last `context` observations, but has earlier ones."""
        begin = max(0, origin - self.context)
        for target in panel.targets:
            values = panel.values(item, target)[:origin]
            if begin and np.isnan(values[begin:]).all() and not np.isnan(values[:begin]).all():
                return True
        return False

    def _move_back(self, panel: Panel, item: int, origin: int, context: Array, old: Array) -> None:
        shifts = [self._shift(panel.values(item, target), origin) if is_old else 0
                  for target, is_old in zip(panel.targets, old, strict=True)]  # fmt: skip
        # The covariates belong to the newest of the targets.
        shifts += [min(shifts)] * (len(context) - len(shifts))
        for row, (name, shift) in enumerate(zip((*panel.targets, *panel.past, *panel.known), shifts, strict=True)):
            if shift:
                end = origin - shift
                values = panel.values(item, name)[max(0, end - self.context) : end]
                context[row] = np.nan
                context[row, context.shape[1] - len(values) :] = values

    def _shift(self, values: Array, origin: int) -> int:
        """Return how many whole seasons, in observations, lie between the last value before `origin` and it; 0 without any."""
        there = np.flatnonzero(~np.isnan(values[:origin]))
        return (origin - 1 - int(there[-1])) // self.season * self.season if len(there) else 0


def far_levels(context: Array) -> Array:
    """Return for each row of (columns, length) its lowest value where that is far away from 0, and 0 for the others.

    Far: the row's largest value is more than `FAR` times the range of its values; a row of one value only where float32
    cannot hold it. Models forecast what is above the level, which is added again in float64.
    """
    low, high = np.fmin.reduce(context, axis=1), np.fmax.reduce(context, axis=1)
    size, spread = np.maximum(np.abs(low), np.abs(high)), high - low
    far = (size > FAR * spread) & ((spread > 0) | (low.astype(np.float32) != low))
    return np.where(far & np.isfinite(low), low, 0.0)


def narrowed(values: Array, levels: Array) -> Array:
    """Return (columns, length) without the levels (columns,), as float32."""
    return np.asarray(values - levels[:, None], dtype=np.float32)


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
