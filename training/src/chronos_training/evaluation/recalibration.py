"""Intervals that keep their promise: split conformal recalibration of quantiles on windows that training did not see.

This is conformalized quantile regression (Romano, Patterson & Candès 2019, arXiv:1905.03222) for each interval, in the
variant that measures in widths of the model's own interval (CQR-r: Sesia & Candès 2020, arXiv:1909.05433). So series of all
sizes are pooled, and wide forecasts move further than narrow ones. Both ends of an interval move by the same amount: what all
series of a panel do in the same few weeks pushes one end, and does not repeat in other weeks. The median stays.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
FILE = "recalibration.json"  # in the model's folder
# Each shift needs at least so many observations and windows: with fewer, steps of the horizon share it. One window is one
# date, on which the same may have happened to all series.
PER_SHIFT, WINDOWS_PER_SHIFT = 200, 2
# Fewer observations or series are not enough: the conformal quantile 0.9 of 20 has a standard error of 7 %.
FEWEST, FEWEST_SERIES = 100, 6
# A shift that narrows intervals counts half: a few windows are a few dates, later dates are rarely easier, and intervals that
# are too narrow are the worse mistake. On weekly births (51 series, 4 windows) the model covered 87 % in the validation
# windows and 79 % afterwards; with full narrowing 71 %, with half 74 %.
NARROWING = 0.5
NARROWEST = 0.02  # least width of an interval, in scales of its series, as the unit of its shift


@dataclass(frozen=True)
class Recalibration:
    """`shifts[level][step]` is added to a quantile, in widths of the forecast's outermost interval at that step."""

    levels: list[float]
    shifts: list[list[float]]
    series: int
    windows: int
    observations: int

    def apply(self, quantiles: Array, scale: Array) -> Array:
        """Return recalibrated quantiles (…, levels, horizon) of `levels`; `scale` (…) is each series' scale, or NaN.

        Steps beyond the fitted horizon move like its last step. Quantiles do not cross, and the median stays.
        """
        own = np.asarray(self.shifts)
        steps = np.minimum(np.arange(quantiles.shape[-1]), own.shape[1] - 1)
        moved = quantiles + own[:, steps] * _unit(quantiles, scale)[..., None, :]
        if 0.5 in self.levels:
            middle = self.levels.index(0.5)
            median = quantiles[..., middle : middle + 1, :]
            low, high = moved[..., :middle, :], moved[..., middle + 1 :, :]
            moved = np.concatenate([np.minimum(low, median), median, np.maximum(high, median)], axis=-2)
        return np.sort(moved, axis=-2)

    def save(self, folder: Path) -> None:
        """Write the recalibration into a model's folder."""
        content = {"schema_version": 1, **asdict(self)}
        (folder / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Recalibration | None:
        """Return the recalibration in a model's folder, or None."""
        path = folder / FILE
        if not path.is_file():
            return None
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content.pop("schema_version")
        return cls(**content)


@dataclass(frozen=True)
class Fitted:
    """A recalibration, or None, with the reason in one sentence."""

    recalibration: Recalibration | None
    reason: str

    @classmethod
    def of(cls, content: dict[str, Any]) -> Fitted:
        """Return what was stored as JSON (dataclasses.asdict)."""
        found = content["recalibration"]
        return cls(Recalibration(**found) if found else None, content["reason"])


def stored(folder: Path, levels: list[float]) -> Fitted:
    """Return the recalibration that a model was stored with, if it is for these quantile levels."""
    found = Recalibration.load(folder)
    if found is None:
        return Fitted(None, "Not recalibrated: the model was stored without a recalibration.")
    if found.levels != levels:
        told = ", ".join(f"{level:g}" for level in found.levels)
        return Fitted(None, f"Not recalibrated: the model's recalibration is for other quantile levels ({told}).")
    return Fitted(
        found, f"Recalibrated with the stored recalibration, which was fitted to {found.observations:,} observations."
    )


def fit_recalibration(quantiles: Array, actual: Array, scale: Array, levels: list[float]) -> Recalibration | None:
    """Return the recalibration of forecasts (rows, windows, levels, horizon) by actual values (rows, windows, horizon).

    `scale` (rows, windows) is NaN where a series has none. Returns None with fewer than FEWEST observations or FEWEST_SERIES
    series to fit to.
    """
    unit = _unit(quantiles, scale)
    usable = ~np.isnan(actual) & (unit > 0)
    series = int(usable.any(axis=(1, 2)).sum())
    if usable.sum() < FEWEST or series < FEWEST_SERIES:
        return None
    horizon = actual.shape[-1]
    shifts = np.zeros((len(levels), horizon))
    parts = max(1, min(horizon, int(usable.sum()) // PER_SHIFT, actual.shape[1] // WINDOWS_PER_SHIFT))
    for steps in np.array_split(np.arange(horizon), parts):
        there = usable[:, :, steps]
        if not there.any():
            continue
        above = [
            (actual[:, :, steps] - quantiles[:, :, place][:, :, steps])[there] / unit[:, :, steps][there]
            for place in range(len(levels))
        ]
        for place, level in enumerate(levels):
            if level < 0.5:
                other = _mirrored(levels, level)
                # How far outside the interval a value lies; for a level without a counterpart, how far below it.
                out = -above[place] if other is None else np.maximum(-above[place], above[other])
                shift = _careful(_conformal(out, 1.0 - level if other is None else 1.0 - 2.0 * level))
                shifts[place, steps] = -shift
                if other is not None:
                    shifts[other, steps] = shift
            elif level > 0.5 and _mirrored(levels, level) is None:
                shifts[place, steps] = _careful(_conformal(above[place], level))
    return Recalibration(list(levels), shifts.tolist(), series, actual.shape[1], int(usable.sum()))


def fitted(quantiles: Array, actual: Array, scale: Array, levels: list[float], *, always: bool) -> Fitted:
    """Return the recalibration, if it helps on windows (with one window: on series) that it was not fitted to, or `always`; and why."""
    whole = fit_recalibration(quantiles, actual, scale, levels)
    if whole is None:
        return Fitted(
            None,
            f"Not recalibrated: fewer than {FEWEST} observations or {FEWEST_SERIES} series in the validation windows.",
        )
    told = f"{whole.observations:,} observations of {whole.series:,} series in {whole.windows} validation windows"
    if not always:
        # By windows, if there are two: the series of one window share its dates, so they are not independent.
        axis, folds = (1, actual.shape[1]) if actual.shape[1] > 1 else (0, 2)
        numbers = np.arange(actual.shape[axis]) % folds
        before = after = 0.0
        for fold in range(folds):
            own, other = np.flatnonzero(numbers == fold), np.flatnonzero(numbers != fold)
            rest = fit_recalibration(
                np.take(quantiles, other, axis), np.take(actual, other, axis), np.take(scale, other, axis), levels
            )
            rest = rest or replace(whole, shifts=[[0.0] * actual.shape[-1] for _ in levels])
            raw, happened, unit = (np.take(part, own, axis) for part in (quantiles, actual, scale))
            before += _loss(raw, happened, unit, levels)
            after += _loss(rest.apply(raw, unit), happened, unit, levels)
        if not after < before:
            return Fitted(None, f"Not recalibrated: cross-validated on {told}, it does not lower the loss.")
    return Fitted(whole, f"Recalibrated on {told}.")


def _unit(quantiles: Array, scale: Array) -> Array:
    width = quantiles[..., -1, :] - quantiles[..., 0, :]
    return np.asarray(np.maximum(width, NARROWEST * np.nan_to_num(scale)[..., None]))


def _mirrored(levels: list[float], level: float) -> int | None:
    """Return the position of the level at the other end of the same central interval, or None."""
    return next((place for place, other in enumerate(levels) if abs(other + level - 1.0) < 1e-9), None)


def _careful(shift: float) -> float:
    return shift if shift > 0 else NARROWING * shift


def _conformal(scores: Array, share: float) -> float:
    """Return the value that a share of the scores does not exceed, corrected for finite samples."""
    return float(np.quantile(scores, min(1.0, (len(scores) + 1) * share / len(scores))))


def _loss(quantiles: Array, actual: Array, scale: Array, levels: list[float]) -> float:
    """Return the summed pinball loss, scaled by series."""
    q = np.asarray(levels)[:, None]
    apart = (actual[:, :, None] - quantiles) / scale[:, :, None, None]
    return float(np.nansum(np.maximum(q * apart, (q - 1.0) * apart)))
