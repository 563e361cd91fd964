"""What the gate decided, with every figure that it decided by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

PROMOTE, REFRESH, KEEP = "promote", "refresh", "keep"


@dataclass(frozen=True)
class Check:
    """One rule applied to one candidate."""

    candidate: str
    """A specification's name."""
    rule: str
    figure: float
    threshold: float
    passed: bool
    words: str
    """The same as a sentence."""


@dataclass(frozen=True)
class Contender:
    """A model that was trained, as the gate sees it."""

    specification: str
    version: str
    rank: int
    """How simple: of equals, the lower one is champion."""
    serves: bool
    behind: int
    """Sessions from its cut to the last session with features."""
    recent: float = float("nan")
    """QLIKE of this very model over the last labelled sessions, nan if it is not available."""


@dataclass(frozen=True)
class Decision:
    """The outcome of the gate."""

    action: str
    """promote (another specification), refresh (a refit of the champion's), or keep (nothing changes)."""
    chosen: str | None
    """The version that serves from now on, None when none may."""
    champion: str | None
    """The version that served before."""
    reason: str
    checks: tuple[Check, ...]
    scores: dict[str, dict[str, float]]
    """By model: rmse, qlike, bias, sessions, and the gains over the benchmark."""
    confidence_set: dict[str, float]
    """By model, the p-value that it is among the best."""
    first: str
    last: str
    """The sessions that were scored."""
    context: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        found = asdict(self)
        for check in found["checks"]:
            check["figure"] = _number(check["figure"])
        return found


def _number(value: float) -> float | None:
    return value if value == value else None  # NaN is not JSON
