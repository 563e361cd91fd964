"""Intervals that hold what they say: split conformal recalibration of quantiles on windows that training did not see.

As conformalized quantile regression (Romano, Patterson & Candès 2019, arXiv:1905.03222), level by level, in the variant that
counts in widths of the model's own interval (CQR-r: Sesia & Candès 2020, arXiv:1909.05433), so that series of all sizes are
pooled, and wide forecasts are moved further than narrow ones. The median stays: point forecasts are as without it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
FILE = "recalibration.json"  # in the model's folder
# Observations behind each shift at least: the step of the horizon shares it with its neighbours where there are fewer.
PER_SHIFT = 200
# Fewer observations or series say too little: the conformal quantile 0.9 of 20 has a standard error of 7 %.
FEWEST, FEWEST_SERIES = 100, 6
NARROWEST = 0.02  # width of an interval in scales of its series at least, as the unit of its shift


@dataclass(frozen=True)
class Recalibration:
    """`shifts[level][step]` is added to a quantile, in widths of the forecast's outermost interval at that step."""

    levels: list[float]
    shifts: list[list[float]]
    series: int
    windows: int
    observations: int

    def apply(self, quantiles: Array, scale: Array) -> Array:
        """Return recalibrated quantiles (…, levels, horizon) of `levels`; `scale` (…) is each series' scale, NaN for none.

        A horizon beyond the fitted one is moved as its last step. Quantiles do not cross, and the median stays.
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
        """Write it into a model's folder."""
        content = {"schema_version": 1, **asdict(self)}
        (folder / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Recalibration | None:
        """Return what a model's folder has, None when it has none."""
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
        """Return what was written as JSON (dataclasses.asdict)."""
        found = content["recalibration"]
        return cls(Recalibration(**found) if found else None, content["reason"])


def stored(folder: Path, levels: list[float]) -> Fitted:
    """Return the recalibration that a model was stored with, if it is of these quantile levels."""
    found = Recalibration.load(folder)
    if found is None:
        return Fitted(None, "Not recalibrated: the model was stored without a recalibration.")
    if found.levels != levels:
        told = ", ".join(f"{level:g}" for level in found.levels)
        return Fitted(None, f"Not recalibrated: the model's recalibration is of other quantile levels ({told}).")
    return Fitted(found, f"Recalibrated as the model was stored: on {found.observations:,} observations.")


def fit_recalibration(quantiles: Array, actual: Array, scale: Array, levels: list[float]) -> Recalibration | None:
    """Return the recalibration of forecasts (rows, windows, levels, horizon) by what happened (rows, windows, horizon).

    `scale` (rows, windows), NaN where a series has none. None when fewer than FEWEST observations or FEWEST_SERIES series
    are there to learn from.
    """
    unit = _unit(quantiles, scale)
    usable = ~np.isnan(actual) & (unit > 0)
    series = int(usable.any(axis=(1, 2)).sum())
    if usable.sum() < FEWEST or series < FEWEST_SERIES:
        return None
    horizon = actual.shape[-1]
    shifts = np.zeros((len(levels), horizon))
    for steps in np.array_split(np.arange(horizon), min(horizon, max(1, int(usable.sum()) // PER_SHIFT))):
        there = usable[:, :, steps]
        if not there.any():
            continue
        for place, level in enumerate(levels):
            apart = (actual[:, :, steps] - quantiles[:, :, place][:, :, steps])[there] / unit[:, :, steps][there]
            shifts[place, steps] = 0.0 if level == 0.5 else _conformal(apart, level)
    return Recalibration(list(levels), shifts.tolist(), series, actual.shape[1], int(usable.sum()))


def fitted(quantiles: Array, actual: Array, scale: Array, levels: list[float], *, always: bool) -> Fitted:
    """Return the recalibration if it helps on series that it was not fitted to, or `always`, and why (not)."""
    whole = fit_recalibration(quantiles, actual, scale, levels)
    if whole is None:
        return Fitted(
            None,
            f"Not recalibrated: fewer than {FEWEST} observations or {FEWEST_SERIES} series in the validation windows.",
        )
    told = f"{whole.observations:,} observations of {whole.series:,} series in {whole.windows} validation windows"
    if not always:
        folds = np.arange(len(actual)) % 2
        before = after = 0.0
        for fold in (0, 1):
            own, other = folds == fold, folds != fold
            half = fit_recalibration(quantiles[other], actual[other], scale[other], levels)
            half = half or replace(whole, shifts=[[0.0] * actual.shape[-1] for _ in levels])
            before += _loss(quantiles[own], actual[own], scale[own], levels)
            after += _loss(half.apply(quantiles[own], scale[own]), actual[own], scale[own], levels)
        if not after < before:
            return Fitted(
                None, f"Not recalibrated: on {told} it does not lower the loss of series that it was not fitted to."
            )
    return Fitted(whole, f"Recalibrated on {told}.")


def _unit(quantiles: Array, scale: Array) -> Array:
    width = quantiles[..., -1, :] - quantiles[..., 0, :]
    return np.asarray(np.maximum(width, NARROWEST * np.nan_to_num(scale)[..., None]))


def _conformal(scores: Array, level: float) -> float:
    """Return the quantile of the scores with the correction for finite samples, towards the tail."""
    n = len(scores)
    outer = min(1.0, (n + 1) * max(level, 1.0 - level) / n)
    return float(np.quantile(scores, outer if level > 0.5 else 1.0 - outer))


def _loss(quantiles: Array, actual: Array, scale: Array, levels: list[float]) -> float:
    """Return the summed pinball loss in scales of the series."""
    q = np.asarray(levels)[:, None]
    apart = (actual[:, :, None] - quantiles) / scale[:, :, None, None]
    return float(np.nansum(np.maximum(q * apart, (q - 1.0) * apart)))
