"""A training set as arrays: what models are fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from chronos_volatility.tables.training_sets import TrainingSet

Array = NDArray[np.float64]

WARM_UP = 60
LEAST_COVERAGE = 0.99
# A variance of five sessions below this (a volatility of 0.01 %) is a price that stood still; its logarithm would rule a fit.
LEAST_LABEL = 1e-8


@dataclass(frozen=True)
class Design:
    """n consecutive sessions: features, and the variance of the five sessions that follow each."""

    dates: NDArray[np.datetime64]
    """datetime64[D] (n), ascending."""
    names: tuple[str, ...]
    values: Array
    """(n, features), NaN where a source is missing."""
    variance: Array
    """rv_5d² (n), the sum of five squared log returns."""
    target: str = ""
    feature_set_version: str = ""
    digest: str = ""
    """sha256 of the training set that it came from."""
    cut: str = ""
    """The last session whose close was known (YYYY-MM-DD)."""
    synthetic: bool = False

    def __len__(self) -> int:
        """The number of sessions."""
        return len(self.dates)

    def columns(self, names: Sequence[str], end: int | None = None) -> Array:
        """Return the features `names` of the first `end` sessions (all): float64 (end, names). KeyError for an unknown one."""
        places = {name: place for place, name in enumerate(self.names)}
        return self.values[:end, [places[name] for name in names]]

    def usable(self, names: Sequence[str], end: int) -> list[str]:
        """Return those of `names` that 99 % of the first `end` sessions have, the warm-up aside; unknown ones are left out."""
        known = [name for name in names if name in self.names]
        rows = self.columns(known, end)[min(WARM_UP, max(0, end - 1)) :]
        shares = np.isfinite(rows).mean(axis=0) if len(rows) else np.zeros(len(known))
        return [name for name, share in zip(known, shares, strict=True) if share >= LEAST_COVERAGE]


def design_of(training_set: TrainingSet) -> Design:
    """Return the arrays of a training set."""
    frame, names = training_set.frame, tuple(training_set.feature_names)
    versions = frame["feature_set_version"].unique()
    return Design(
        dates=frame["date"].to_numpy().astype("datetime64[D]"),
        names=names,
        values=np.ascontiguousarray(frame[list(names)].to_numpy(np.float64)),
        variance=frame["rv_5d"].to_numpy(np.float64) ** 2,
        target=training_set.target,
        feature_set_version=str(versions[-1]) if len(versions) else "",
        digest=training_set.digest,
        cut=str(training_set.cut.date()),
        synthetic=training_set.synthetic,
    )
