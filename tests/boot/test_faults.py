"""Each fault of a machine ends as it must: the machine gone, its logs in S3, partial results kept, one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.operator import Operator

from . import fault_table
from .fault_cases import CASES, End
from .scenario import Scenario

pytestmark = pytest.mark.boot
ROWS: dict[str, fault_table.Row] = {}


@pytest.fixture
def scenario(nspawn_account: Operator, tmp_path: Path) -> Iterator[Scenario]:
    assert nspawn_account.state() is None
    scenario = Scenario(nspawn_account, tmp_path)
    yield scenario
    scenario.let_go()
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
def test_a_fault_ends_as_it_must(scenario: Scenario, name: str) -> None:
    expected = CASES[name](scenario)
    scenario.wait_for_the_machines_end()
    if expected.settled:
        settle(scenario)
    archived = scenario.archived()
    assert archived["status"] == expected.status, archived
    said = archived["error_message"] or ""
    assert said.startswith(expected.said)
    assert bool(said) == (expected.status != "completed")
    assert scenario.missing_lines() == []
    check_kept(scenario, expected)
    assert "clean: nothing is running" in scenario.operator.play("verify_cleanup").succeeded().output
    ROWS[name] = fault_table.row(scenario, name, expected, said)


def settle(scenario: Scenario) -> None:
    """What the next command finds: verify names the dead run, and settles it when it is asked to."""
    variables = {"training_cleanup_check_wait_seconds": 0}
    assert scenario.run_id in scenario.operator.play("verify_cleanup", **variables).failed().output
    scenario.operator.play("verify_cleanup", training_cleanup_check_fix=True, **variables).succeeded()


def check_kept(scenario: Scenario, expected: End) -> None:
    files = scenario.operator.run_files(scenario.run_id)
    assert ("_SUCCESS" in files) == (expected.kept == "everything")
    if expected.kept == "everything":
        assert {"report.html", "model_metadata.json", "training.json"} <= files
    if expected.kept in ("everything", "checkpoints"):
        assert scenario.checkpoints()
    if expected.kept != "nothing":
        assert {"bootstrap", "pipeline", "console"} <= set(scenario.stored_logs())
