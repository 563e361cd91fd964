"""Where the training programs of several instances meet, as an instance tells its own program: one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .errors import TrainingError

# Phases of the training program (progress.json) in which the head node's first process continues alone.
ALONE = frozenset({"storing", "evaluating", "reporting"})


@dataclass(frozen=True)
class Rendezvous:
    """`endpoint` is host:port on the head node, `address` this instance's own; one program of all `leads`."""

    endpoint: str
    address: str
    leads: bool

    def to_line(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Rendezvous:
        """Return what `to_line` wrote. TrainingError when it is something else."""
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise TrainingError(
                "The run has several instances, but this program was not told their rendezvous address.",
                hint="Launch the run, or set run.instances to 1 to train on this machine alone.",
            ) from error
