"""What decides the weights of a training, as one hash: a checkpoint is resumed only if all of it is the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.run_spec import RunSpec

# Sections that may differ, but for what `decisive` takes from them. AutoGluon leaves no checkpoint to resume from.
FREE = {"description", "evaluation", "run", "autogluon", "automatic"}


@dataclass(frozen=True)
class Fingerprint:
    """Configuration, digest of the dataset, and digest of the weights to start from (empty: random)."""

    config: TrainingConfig
    dataset_digest: str
    base_digest: str = ""

    @property
    def digest(self) -> str:
        """The hash, in hex, that the completion marker of a checkpoint carries."""
        text = json.dumps([decisive(self.config), self.dataset_digest, self.base_digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, spec: RunSpec) -> list[str]:
        """Return in words what differs from the run of a run spec; empty when its checkpoints are ours."""
        before, now = _flat(decisive(TrainingConfig.model_validate(spec.training))), _flat(decisive(self.config))
        found = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        found = [key.replace("run.processes", "run.instances x run.processes") for key in found]
        if spec.data.digest != self.dataset_digest:
            found.append("dataset (published again since)")
        if spec.base_digest != self.base_digest:
            found.append("base model")
        return found


def decisive(config: TrainingConfig) -> dict[str, Any]:
    """Return the part of a configuration that decides the weights."""
    return config.model_dump(mode="json", exclude=FREE) | {
        "held_out_length": config.held_out_length,
        # Of all instances: each process draws its own windows and masks by its rank, wherever it runs.
        "run": {"processes": config.run.ranks},
    }


def _flat(content: dict[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in content.items():
        out |= _flat(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}": value}
    return out
