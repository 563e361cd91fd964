"""The first use of a model that passed the gate: the last twenty sessions, beside the model that it is to replace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Predict = Callable[[Array], float]

SESSIONS = 20
MOST_FAILURES = 0.05
RANGE = (0.001, 0.5)
"""A volatility of five sessions (log return) outside is no forecast: 0.7 % and 355 % a year."""
MOST_TIMES = 3.0
"""More than this many times the old model's forecast is none either."""


@dataclass(frozen=True)
class Failure:
    """A session that the new model failed at."""

    session: str
    words: str


@dataclass(frozen=True)
class Report:
    """What the canary saw. `passed` is False when more than 5 % of the sessions failed."""

    sessions: int
    failures: tuple[Failure, ...]

    @property
    def share(self) -> float:
        """The share of sessions that failed; all of them when there were none."""
        return len(self.failures) / self.sessions if self.sessions else 1.0

    @property
    def passed(self) -> bool:
        """Whether the new model may serve."""
        return self.share <= MOST_FAILURES

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        return {**asdict(self), "share": self.share, "passed": self.passed, "threshold": MOST_FAILURES}


def watch(sessions: list[str], rows: list[Array], new: Predict, old: Predict | None) -> Report:
    """Return how `new` did on `sessions` (n) with their features (n), and `old` beside it. A predictor gives rv_5d_hat.

    A failure is an error, no number, a forecast outside 0.001 to 0.5, or one above three times the old model's.
    """
    failures = []
    for session, row in zip(sessions, rows, strict=True):
        words = _failure(row, new, old)
        if words:
            failures.append(Failure(session, words))
    return Report(len(sessions), tuple(failures))


def _failure(row: Array, new: Predict, old: Predict | None) -> str:
    try:
        found = float(new(row))
    except Exception as error:  # whatever a model raises in service is a failure of this model
        return f"it failed: {type(error).__name__}: {error}"
    if not np.isfinite(found):
        return "its forecast is not a number"
    if not RANGE[0] <= found <= RANGE[1]:
        return f"its forecast {found:.4g} is not within {RANGE[0]} and {RANGE[1]}"
    if old is None:
        return ""
    try:
        before = float(old(row))
    except Exception:  # the old model's own failure says nothing of the new one
        return ""
    if np.isfinite(before) and found > MOST_TIMES * before:
        return f"its forecast {found:.4g} is {found / before:.1f} times the one of the model before"
    return ""
