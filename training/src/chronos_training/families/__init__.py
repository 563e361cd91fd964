"""The Chronos families: what differs between them, behind one interface. The loop and the evaluation know only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chronos_training.families.base import Family


def family(name: str) -> Family:
    """Return the family of this name (model.family)."""
    if name == "chronos2":
        from chronos_training.families.chronos2 import Chronos2

        return Chronos2()
    if name == "chronos_bolt":
        from chronos_training.families.bolt import Bolt

        return Bolt()
    if name == "chronos_t5":
        from chronos_training.families.t5 import T5

        return T5()
    raise ValueError(f"{name} is not a model family that can be trained")
