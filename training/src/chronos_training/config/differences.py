"""What a configuration sets otherwise than the built-in defaults do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chronos_training.config.schema import TrainingConfig


@dataclass(frozen=True)
class Difference:
    """One key whose value is not the default; values as JSON has them."""

    key: str
    default: Any
    value: Any


def differences(config: TrainingConfig) -> list[Difference]:
    """Return the keys that differ from the built-in defaults, in the order of the schema; name and description do not count."""
    default, chosen = TrainingConfig().model_dump(mode="json"), config.model_dump(mode="json")
    found = []
    for name, value in chosen.items():
        if not isinstance(value, dict) or name == "automatic":
            continue  # the version, what the run is called, and reasons
        found += [
            Difference(f"{name}.{key}", default[name][key], item)
            for key, item in value.items()
            if item != default[name][key]
        ]
    return found
