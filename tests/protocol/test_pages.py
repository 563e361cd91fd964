"""docs/state-machine.md is what the code says."""

from __future__ import annotations

from pathlib import Path

from chronos_training.core import diagram, states

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"


def test_the_state_machine_page_is_drawn_from_the_table():
    assert PAGE.read_text(encoding="utf-8") == diagram.page(), (
        "run: python -m chronos_training.core.diagram > docs/state-machine.md"
    )


def test_every_status_has_its_meaning():
    assert set(diagram.MEANING) == set(states.TRANSITIONS)
