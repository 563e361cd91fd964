"""The benchmark: the realized variance of the last 20 sessions, scaled to five and to the mean of what followed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_volatility.models.design import Array, Design


@dataclass(frozen=True)
class Scaled:
    """variance of five sessions = factor · realized variance of a session, mean of 20."""

    factor: float
    names: tuple[str, ...] = ("ln_rv_20",)

    def forecast(self, values: Array, begin: int, end: int) -> Array:
        """Return the variances (end - begin) from ln_rv_20 of all sessions (n, 1)."""
        return np.asarray(self.factor * np.exp(values[begin:end, 0]))


def fit_scaled(design: Design, end: int) -> Scaled:
    """Return the factor that makes the forecasts' sum over the first `end` sessions the labels' sum."""
    past = np.exp(design.columns(["ln_rv_20"], end)[:, 0])
    known = np.isfinite(past)
    return Scaled(float(design.variance[:end][known].sum() / past[known].sum()))
