"""Keys that a family makes no use of. Setting one is refused: an ignored setting costs a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chronos_training.config.schema import TrainingConfig

# What AutoGluon takes from these sections; everything else in them is for the Chronos families' own loop.
USED_BY_AUTOGLUON = {
    "model": {"family", "initialization", "base", "base_run"},
    "training": {"seed", "cpu_threads"},
    "run": {"max_runtime_hours"},
}


def unused(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    """Give (dotted key, why not) for each key that differs from its default and that the family does not use."""
    if config.model.family != "autogluon":
        for key in _changed(config, "autogluon", set()):
            yield key, f"it is for model.family autogluon, and model.family is {config.model.family}"
        return
    for section, used in USED_BY_AUTOGLUON.items():
        for key in _changed(config, section, used):
            yield key, "family autogluon makes no use of it; its own settings are in the section autogluon"


def _changed(config: TrainingConfig, section: str, used: set[str]) -> Iterator[str]:
    # Compared with the defaults, not with what was given: a run spec gives every key.
    values = getattr(config, section)
    for key, field in type(values).model_fields.items():
        if key not in used and getattr(values, key) != field.get_default(call_default_factory=True):
            yield f"{section}.{key}"
