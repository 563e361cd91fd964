"""What the training loop reports when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from chronos_training.config.precision import Precision


@dataclass(frozen=True)
class Refitted:
    """The search ended at step `searched`, its step `found` was the best, and the refit had `steps` steps."""

    searched: int
    found: int
    steps: int


@dataclass(frozen=True)
class LossCurve:
    """The logged points: step, mean loss since the point before, learning rate after the step; and the loop's speed.

    `precision` says in which numbers it computed. `validation` are (step, validation loss); `chosen_step` is the step whose weights the model has.
    After a refit its steps follow those of the search.
    """

    steps: list[int]
    losses: list[float]
    learning_rates: list[float]
    seconds: float
    samples_per_second: float
    resumed_from: int
    last_step: int
    chosen_step: int
    precision: Precision
    validation: list[tuple[int, float]] = field(default_factory=list)
    refit: Refitted | None = None
