"""Each fault of a machine ends as it must: the machine gone, the story in S3, partial results kept, one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.operator import Operator

from . import fault_table
from .fault_cases import CASES, End
from .story import Story

pytestmark = pytest.mark.boot
ROWS: dict[str, fault_table.Row] = {}


@pytest.fixture
def story(nspawn_account: Operator, tmp_path: Path) -> Iterator[Story]:
    assert nspawn_account.state() is None
    story = Story(nspawn_account, tmp_path)
    yield story
    story.let_go()
    nspawn_account.aws.clear_faults()
    nspawn_account.aws.inject()
    nspawn_account.play("kill_training", training_kill_force=True)
    assert nspawn_account.live_instances() == []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    if os.environ.get(fault_table.WRITE):
        fault_table.write(ROWS)


@pytest.mark.parametrize("name", CASES)
def test_a_fault_ends_as_it_must(story: Story, name: str) -> None:
    expected = CASES[name](story)
    story.wait_for_the_machines_end()
    if expected.settled:
        settle(story)
    archived = story.archived()
    assert archived["status"] == expected.status, archived
    said = archived["error_message"] or ""
    assert said.startswith(expected.said)
    assert bool(said) == (expected.status != "completed")
    assert story.missing_lines() == []
    check_kept(story, expected)
    assert "clean: nothing is running" in story.operator.play("verify_cleanup").succeeded().output
    ROWS[name] = fault_table.row(story, name, expected, said)


def settle(story: Story) -> None:
    """What the next command finds: verify names the dead run, and settles it when it is asked to."""
    variables = {"training_cleanup_check_wait_seconds": 0}
    assert story.run_id in story.operator.play("verify_cleanup", **variables).failed().output
    story.operator.play("verify_cleanup", training_cleanup_check_fix=True, **variables).succeeded()


def check_kept(story: Story, expected: End) -> None:
    files = story.operator.run_files(story.run_id)
    assert ("_SUCCESS" in files) == (expected.kept == "everything")
    if expected.kept == "everything":
        assert {"report.html", "model_metadata.json", "training.json"} <= files
    if expected.kept in ("everything", "checkpoints"):
        assert story.checkpoints()
    if expected.kept != "nothing":
        assert {"bootstrap", "pipeline", "console"} <= set(story.stored_logs())
