"""What is done with a panel that is not regular: fill, keep, drop or refuse. One field for each kind of finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from chronos_training.config.messages import nearest
from chronos_training.core.errors import ConfigurationError

# What each rule may say. `shortest` is the one that is a number.
ALLOWED: dict[str, tuple[str, ...]] = {
    "duplicates": ("refuse", "first", "last", "mean"),
    "gaps": ("fill", "refuse"),
    "missing": ("keep", "interpolate", "forward_fill", "refuse"),
    "constant": ("keep", "drop", "refuse"),
    "short": ("refuse", "drop"),
    "unsorted": ("sort", "refuse"),
}
# One line each, for the command's help.
MEANING: dict[str, str] = {
    "duplicates": "several rows with the same item and time: which one to keep (first and last by row order)",
    "gaps": "a missing timestamp: fill adds a row with an empty target",
    "missing": "an empty target, also in a filled gap: keep leaves it to the model, which masks it",
    "constant": "a series whose targets never change",
    "short": "a series with fewer rows than shortest, including filled gaps",
    "unsorted": "a row that is earlier than the preceding row of its item",
    "shortest": "rows that a series needs",
}


@dataclass(frozen=True)
class Rules:
    """How each finding is treated; see ALLOWED and MEANING. ConfigurationError for a value that is not allowed.

    The defaults lose nothing and invent nothing: what cannot be decided without knowing the data is refused.
    `interpolate` draws a straight line between the neighbours; before the first and after the last value of a series
    it leaves the target empty, as `forward_fill` does before the first.
    """

    duplicates: str = "refuse"
    gaps: str = "fill"
    missing: str = "keep"
    constant: str = "keep"
    short: str = "refuse"
    shortest: int = 1
    unsorted: str = "sort"

    def __post_init__(self) -> None:
        for name, choices in ALLOWED.items():
            value = getattr(self, name)
            if value not in choices:
                raise ConfigurationError(
                    f"Rule {name}: {value!r} is not allowed: must be one of: {', '.join(choices)}."
                    f"{nearest(str(value), list(choices))}"
                )
        if not isinstance(self.shortest, int) or isinstance(self.shortest, bool) or self.shortest < 1:
            raise ConfigurationError(
                f"Rule shortest: {self.shortest!r} is not allowed: must be a whole number, at least 1."
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Rules:
        """Return the rules of `values` (rule name → value; what is absent has its default).

        Raises ConfigurationError with the nearest known name for an unknown rule or value.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"Rules: {values!r} is not allowed: must be names with values.")
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigurationError(
                    f"Rule {name!r} is not known; known: {', '.join(known)}.{nearest(str(name), known)}"
                )
        return cls(**values)
