"""The features that a request gives, checked against what the model has seen."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronos_volatility.models.serve import Forecaster

TIMES_OUTSIDE = 3.0
"""A value further outside of what was seen than this many times its range is a mistake, not a market."""


LARGEST = 1000.0
"""Features are logarithms, returns, ratios and counts of sessions: none is ever larger."""

LN_VARIANCE = (-30.0, 2.0)
"""ln of a day's variance, of a price that hardly moves and of one that is multiplied; the models set these features no limits."""
_LN_VARIANCE = re.compile(r"(^|_)ln_")


class FeatureError(Exception):
    """The features are not ones that the model can answer for. `args[0]` is a sentence for a person."""


def vector(given: dict[str, Any], model: Forecaster) -> NDArray[np.float64]:
    """Return the model's input (features) from values by name. FeatureError names what is missing, unknown or absurd."""
    missing = [name for name in model.names if name not in given]
    unknown = sorted(set(given) - set(model.names))
    if missing:
        raise FeatureError(f"feature_vector lacks {_listed(missing)}.")
    if unknown:
        raise FeatureError(f"feature_vector has {_listed(unknown)}, which {model.specification} does not use.")
    values = np.zeros(len(model.names))
    for place, name in enumerate(model.names):
        values[place] = _number(name, given[name])
    for name, value in zip(model.names, values, strict=True):
        if abs(value) > LARGEST:
            raise FeatureError(f"feature_vector: {name} is {value:g}; no feature is larger than {LARGEST:g}.")
        if _LN_VARIANCE.search(name) and not LN_VARIANCE[0] <= value <= LN_VARIANCE[1]:
            low, high = LN_VARIANCE
            raise FeatureError(
                f"feature_vector: {name} is {value:g}; the logarithm of a day's variance is {low:g} to {high:g}."
            )
    for name, low, high in zip(model.linear.names, model.linear.low, model.linear.high, strict=True):
        value = values[model.names.index(name)]
        room = TIMES_OUTSIDE * (high - low) if math.isfinite(high - low) else math.inf
        if not low - room <= value <= high + room:
            raise FeatureError(f"feature_vector: {name} is {value:g}; what was seen is {low:g} to {high:g}.")
    return values


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FeatureError(f"feature_vector: {name} must be a number.")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise FeatureError(f"feature_vector: {name} must be a finite number.")
    return found


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
