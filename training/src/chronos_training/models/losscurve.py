"""What the training loop reports when it is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossCurve:
    """The logged points: step, mean loss since the point before, learning rate after the step; and the loop's speed."""

    steps: list[int]
    losses: list[float]
    learning_rates: list[float]
    seconds: float
    samples_per_second: float
    resumed_from: int
