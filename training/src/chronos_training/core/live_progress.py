"""What a step of a run is doing right now: written by the trainer and the agent, kept in the state, shown by monitor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from . import typed_json


@dataclass(frozen=True)
class LiveProgress:
    """What is known at one moment; None where it does not apply. Lengths of time in seconds."""

    message: str | None = None
    phase: str | None = None  # of the training program: preparing, training, storing, evaluating or reporting
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    samples_per_second: float | None = None
    eta_seconds: float | None = None
    fitting: str | None = None  # the model that AutoGluon is at; of its steps each is a model
    best_score: float | None = None
    best_model: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    done_files: int | None = None
    total_files: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is stored: what is known."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Any) -> LiveProgress:
        """Return the progress that `to_json` gave. ValueError when it is something else."""
        return typed_json.read(cls, content)
