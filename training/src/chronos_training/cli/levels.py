"""The quantile levels of a forecast: as they are typed, and as sample paths can tell them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from chronos_training.core.errors import ConfigurationError

USUAL = (0.1, 0.5, 0.9)


def levels_of(text: str | None) -> list[float] | None:
    """Return the levels of the command line; None when there are none. ConfigurationError when they are not allowed."""
    if text is None:
        return None
    try:
        levels = [float(part) for part in text.split(",")]
    except ValueError:
        levels = []
    if not levels or any(not 0 < level < 1 for level in levels) or sorted(set(levels)) != levels:
        raise ConfigurationError(
            f"--levels {text!r} is not allowed: must be increasing numbers between 0 and 1, such as 0.1,0.5,0.9."
        )
    return levels


def usual(learnt: Sequence[float]) -> list[float]:
    """Return the levels of a command line that names none: 0.1, 0.5 and 0.9 where the model has them, else all it has."""
    return list(USUAL) if set(USUAL) <= set(learnt) else list(learnt)


def must_be_drawn(levels: Sequence[float], evaluated: Sequence[float], paths: int, folder: Path) -> None:
    """Refuse a level of which `paths` samples say nothing: beyond it lies less than one of them. ConfigurationError."""
    for level in levels:
        tail = min(level, 1 - level)
        if level not in evaluated and tail * paths < 1 - 1e-9:
            least = 1 / paths
            raise ConfigurationError(
                f"--levels: the {paths} sample paths that the model in {folder} draws cannot give {level:g}, "
                f"only {least:g} to {1 - least:g}.",
                hint=f"Train a model with model.samples {math.ceil(1 / tail - 1e-9)} or more.",
            )
