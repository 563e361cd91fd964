"""The candidates: what is fitted, how often, and which one is the simpler of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chronos_volatility.models.design import Array, Design
from chronos_volatility.models.garch import fit_garch
from chronos_volatility.models.har import fit_har, fit_har_x
from chronos_volatility.models.scaled import fit_scaled
from chronos_volatility.models.trees import fit_trees

MONTH, QUARTER = 21, 63


class Fitted(Protocol):
    """A model that was fitted on the sessions up to some point."""

    @property
    def names(self) -> Sequence[str]:
        """The features that it takes, in order."""

    def forecast(self, values: Array, begin: int, end: int) -> Array:
        """Return variances of five sessions (end - begin), from the features of all sessions up to `end` (n, names)."""


@dataclass(frozen=True)
class Specification:
    """One way to make a model. Its rank says how simple it is: of equals, the lower one is champion."""

    name: str
    title: str
    rank: int
    refit: int
    """Sessions between two fits of the walk-forward."""
    fit: Callable[[Design, int], Fitted]
    """From the first sessions of a design to a model."""
    serves: bool = True
    """Whether it answers for a session's features alone, as the API needs it."""


BENCHMARK = Specification("rv-20", "scaled RV20", 0, MONTH, fit_scaled, serves=False)
HAR = Specification("log-har", "log-HAR-Parkinson", 1, MONTH, fit_har)
HAR_X = Specification("log-har-x", "log-HAR-X", 2, MONTH, fit_har_x)
TREES = Specification("log-har-x-trees", "LightGBM on the residual of log-HAR-X", 4, QUARTER, fit_trees)
GARCH = Specification("gjr-garch", "GJR-GARCH", 3, QUARTER, fit_garch, serves=False)

FALLBACK = HAR
CANDIDATES = (HAR, HAR_X, TREES, GARCH)
BY_NAME = {one.name: one for one in (BENCHMARK, *CANDIDATES)}
