"""Keys that a family makes no use of. Setting one is refused: an ignored setting costs a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chronos_training.config.fields import Section

# Of these sections AutoGluon takes only the keys named; the others are for the Chronos families' own loop.
TAKEN_BY_AUTOGLUON = {
    "model": {"family", "initialization", "base", "base_run"},
    "training": {"seed", "cpu_threads"},
    "run": {"max_runtime_hours", "max_cost"},
}
# Of the rest it takes everything but these.
LEFT_BY_AUTOGLUON = {"evaluation": {"batch_size", "seeds"}}


def counts(family: str, section: str, key: str) -> bool:
    """Return whether a key of a section has a meaning for a family."""
    if family != "autogluon":
        return section != "autogluon"
    if section in TAKEN_BY_AUTOGLUON:
        return key in TAKEN_BY_AUTOGLUON[section]
    return key not in LEFT_BY_AUTOGLUON.get(section, set())


def unused(config: Section, family: str) -> Iterator[tuple[str, str]]:
    """Give (dotted key, why not) for each key that differs from its default and that the family does not use."""
    for name in type(config).model_fields:
        section = getattr(config, name)
        # Compared with the defaults, not with what was given: a run spec gives every key.
        for key, field in getattr(type(section), "model_fields", {}).items():
            if counts(family, name, key) or getattr(section, key) == field.get_default(call_default_factory=True):
                continue
            if family == "autogluon":
                yield (
                    f"{name}.{key}",
                    "family autogluon does not use it; its settings are in the section autogluon",
                )
            else:
                yield f"{name}.{key}", f"it is for model.family autogluon, but model.family is {family}"


def in_use(content: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration, as JSON, with only what counts for its family."""
    family = content["model"]["family"]
    kept = {
        name: {key: item for key, item in value.items() if counts(family, name, key)}
        if isinstance(value, dict)
        else value
        for name, value in content.items()
    }
    return {name: value for name, value in kept.items() if value != {}}
