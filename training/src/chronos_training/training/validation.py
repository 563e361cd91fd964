"""What the validation losses of a training say: which checkpoint is the best, and whether it is time to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def losses(history: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """Return (step, validation loss) of the Trainer's log, in order; the last of a step counts."""
    found = {int(entry["step"]): float(entry["eval_loss"]) for entry in history if "eval_loss" in entry}
    return sorted(found.items())


def best_step(history: Sequence[dict[str, Any]]) -> int | None:
    """Return the first step with the lowest validation loss, None when there was no validation."""
    found = losses(history)
    return min(found, key=lambda pair: (pair[1], pair[0]))[0] if found else None


def is_exhausted(history: Sequence[dict[str, Any]], patience: int | None) -> bool:
    """Return whether the last `patience` validations were none better than the best before them."""
    best = best_step(history)
    if patience is None or best is None:
        return False
    return sum(step > best for step, _ in losses(history)) >= patience
