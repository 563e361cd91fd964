"""The forecasters: how they are called in files and to people."""

from __future__ import annotations

from typing import Any

# In the order in which people read them: the model, what it started from, then what is easy and what is hard to beat.
TITLES = {
    "model": "This model",
    "combination": "Combination of the model with its rivals",
    "zero_shot": "Zero-shot: the model it started from",
    "seasonal_naive": "Seasonal naive, quantiles of its own past errors",
    "seasonal_naive_gaussian": "Seasonal naive, normal quantiles",
    "seasonal_naive_point": "Seasonal naive, one value",
    "naive": "Naive: the last value",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
    "croston": "Croston (SBA)",
}


def names_of(scores: dict[str, Any]) -> list[str]:
    """Return the forecasters that were scored, in reading order."""
    return [name for name in TITLES if name in scores["aggregate"]]
