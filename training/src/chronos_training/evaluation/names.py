"""The forecasters: their names in files and their titles in reports."""

from __future__ import annotations

from typing import Any

# In reading order: the model, its base model, then the rivals that are easy and those that are hard to beat.
TITLES = {
    "model": "This model",
    "combination": "Combination of the model with its rivals",
    "zero_shot": "Zero-shot: the base model",
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
