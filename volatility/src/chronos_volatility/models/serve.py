"""Fitted models as the API and the daily step use them: numpy, and LightGBM's library only when a model has trees.

Whatever is imported here is imported before the first answer of a cold start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronos_volatility.models.lightgbm_library import TreeLibraryModel

Array = NDArray[np.float64]
BASELINE = "baseline"
LIMIT = "limit"


class Driver(NamedTuple):
    """One summand of ln rv_5d_hat."""

    feature: str
    """A feature's name, BASELINE (the forecast at average features), or LIMIT (the forecast was held within what was seen)."""
    value: float
    """The feature's value; of BASELINE and LIMIT the volatility that they stand for."""
    contribution: float


@dataclass(frozen=True)
class LogLinear:
    """ln variance = intercept + Σ coefficient · (feature within its limits - center). All arrays are (features)."""

    names: tuple[str, ...]
    low: Array
    high: Array
    center: Array
    coefficients: Array
    intercept: float

    def terms(self, values: Array) -> Array:
        """Return each feature's summand: (n, features) from (n, features)."""
        found: Array = (np.clip(values, self.low, self.high) - self.center) * self.coefficients
        return found


@dataclass(frozen=True)
class Trees:
    """LightGBM's text of a model that adds to ln variance."""

    names: tuple[str, ...]
    text: str = field(repr=False)

    @cached_property
    def _model(self) -> TreeLibraryModel:
        return TreeLibraryModel(self.text)

    def terms(self, values: Array) -> tuple[Array, Array]:
        """Return each feature's summand (n, features) and the rest (n): SHAP values, as LightGBM computes them exactly."""
        found = self._model.contributions(values)
        return found[:, :-1], found[:, -1]

    def predict(self, values: Array) -> Array:
        """Return what the trees add: (n)."""
        return self._model.predict(values)


@dataclass(frozen=True)
class Forecaster:
    """A fitted model: from a session's features to the volatility of the five sessions that follow."""

    specification: str
    names: tuple[str, ...]
    """The features that it uses, in the order of its input."""
    linear: LogLinear
    bounds: tuple[float, float]
    """ln of the smallest and largest variance of five sessions that were seen: no forecast is outside."""
    trees: Trees | None = None

    def ln_variance(self, values: Array) -> Array:
        """Return ln of the variance of five sessions (n) from (n, names); NaN where a feature is missing."""
        found = self._raw(values)
        return np.clip(found, *self.bounds)

    def forecast(self, values: Array, begin: int, end: int) -> Array:
        """Return the variances (end - begin) of the sessions from `begin` on, of all sessions (n, names) so far."""
        return np.asarray(np.exp(self.ln_variance(values[begin:end])))

    def rv_5d(self, values: Array) -> Array:
        """Return the volatility of five sessions, sqrt of the variance, not annualised: (n) from (n, names)."""
        return np.asarray(np.exp(0.5 * self.ln_variance(values)))

    def drivers(self, values: Array) -> list[Driver]:
        """Return the summands of ln rv_5d of one session (names), the largest first after BASELINE. They sum to it exactly.

        A linear feature's is half its coefficient times its deviation from the mean; of trees, its SHAP value.
        """
        row = np.asarray(values, dtype=np.float64)[None, :]
        parts = dict.fromkeys(self.names, 0.0)
        base = self.linear.intercept
        for name, part in zip(self.linear.names, self.linear.terms(self._of(row, self.linear.names))[0], strict=True):
            parts[name] += float(part)
        if self.trees is not None:
            terms, rest = self.trees.terms(self._of(row, self.trees.names))
            base += float(rest[0])
            for name, part in zip(self.trees.names, terms[0], strict=True):
                parts[name] += float(part)
        total = base + sum(parts.values())
        limit = float(np.clip(total, *self.bounds)) - total
        found = [Driver(name, float(value), 0.5 * parts[name]) for name, value in zip(self.names, row[0], strict=True)]
        found.sort(key=lambda driver: -abs(driver.contribution))
        first = Driver(BASELINE, float(np.exp(0.5 * base)), 0.5 * base)
        last = [Driver(LIMIT, float(np.exp(0.5 * (total + limit))), 0.5 * limit)] if limit else []
        return [first, *found, *last]

    def _raw(self, values: Array) -> Array:
        found = self.linear.intercept + self.linear.terms(self._of(values, self.linear.names)).sum(axis=1)
        if self.trees is not None:
            found = found + self.trees.predict(self._of(values, self.trees.names))
        return np.asarray(np.where(np.isfinite(values).all(axis=1), found, np.nan))

    def _of(self, values: Array, names: Sequence[str]) -> Array:
        if tuple(names) == self.names:
            return values
        return values[:, [self.names.index(name) for name in names]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the trees' text, as JSON can hold it."""
        return {
            "specification": self.specification,
            "features": list(self.names),
            "bounds": list(self.bounds),
            "linear": {
                "features": list(self.linear.names),
                "low": _finite(self.linear.low),
                "high": _finite(self.linear.high),
                "center": self.linear.center.tolist(),
                "coefficients": self.linear.coefficients.tolist(),
                "intercept": self.linear.intercept,
            },
            "trees": None if self.trees is None else list(self.trees.names),
        }

    @staticmethod
    def from_dict(found: dict[str, Any], trees: str | None = None) -> Forecaster:
        """Return the model of a `to_dict`, and the text of its trees. KeyError, TypeError or ValueError when it is none."""
        linear = found["linear"]
        arrays = {name: np.asarray(linear[name], dtype=np.float64) for name in ("center", "coefficients")}
        low = np.array([-np.inf if one is None else one for one in linear["low"]], dtype=np.float64)
        high = np.array([np.inf if one is None else one for one in linear["high"]], dtype=np.float64)
        if found["trees"] is not None and not trees:
            raise ValueError("its trees are missing")
        lowest, highest = found["bounds"]
        return Forecaster(
            found["specification"],
            tuple(found["features"]),
            LogLinear(tuple(linear["features"]), low, high, intercept=float(linear["intercept"]), **arrays),
            (float(lowest), float(highest)),
            None if found["trees"] is None else Trees(tuple(found["trees"]), str(trees)),
        )


def _finite(values: Array) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
