"""The protocol's model, explored completely; and each safeguard taken away, to see it missed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.protocol.model.explore import Explorer, Found
from tests.protocol.model.report import document
from tests.protocol.model.rules import Safeguards
from tests.protocol.model.scenarios import LONG, QUICK, REMOVALS, Removal, Scenario
from tests.protocol.summary import say

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def explore(scenario: Scenario) -> None:
    found = Explorer(scenario.cast, scenario.budget).run()
    assert found.violation is None, "\n".join([found.violation or "", *found.steps])
    say(
        f"model: {scenario.name}: {found.states:,} states, {found.transitions:,} transitions, violations 0; of "
        f"{found.ends} ends {found.taken_over} leave a lock that the next command settles, "
        f"{found.residue} the known residue (a late create), {found.kept} one kept because EC2 never answered"
    )


@pytest.mark.parametrize("scenario", QUICK, ids=lambda s: s.name)
def test_no_interleaving_breaks_an_invariant(scenario):
    explore(scenario)


@pytest.mark.protocol
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", LONG, ids=lambda s: s.name)
def test_no_interleaving_breaks_an_invariant_long(scenario):
    explore(scenario)


def removed(removal: Removal) -> Found:
    return Explorer(removal.cast, removal.budget, removal.safe, waived=removal.waived).run()


@pytest.fixture(scope="module")
def findings() -> dict[str, Found]:
    """What is found without each safeguard, once for all tests."""
    return {removal.what: removed(removal) for removal in REMOVALS}


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda r: r.what)
def test_without_a_safeguard_an_invariant_breaks(removal, findings):
    assert findings[removal.what].violation == removal.invariant


def test_every_safeguard_of_the_model_is_shown_to_matter(findings):
    shown = {
        f.name for removal in REMOVALS for f in dataclasses.fields(Safeguards) if not getattr(removal.safe, f.name)
    }
    assert shown == {f.name for f in dataclasses.fields(Safeguards)}
    say(f"model: {len(REMOVALS)} safeguards taken away, one after the other: {len(findings)} violations found")


def test_the_page_shows_what_is_found(findings):
    assert PAGE.read_text(encoding="utf-8") == document(findings), "run: python -m tests.protocol.model.report"
