"""`make bench-gpu` on a CPU, with models of a few thousand parameters: every part works, and none of it is called a GPU's figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.gpu import cases
from tests.bench.gpu.__main__ import measure
from tests.bench.gpu.page import NOT, page
from tests.bench.gpu.speed import flops_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return measure("cpu", cases.SMALL, 480.0, cases.FEW)


def test_every_part_is_measured(results: dict[str, Any]) -> None:
    for part in ("training", "forecasting", "convergence", "resume"):
        for name, entry in results[part].items():
            assert isinstance(entry, dict), f"{part}, {name}: {entry}"
    for part in ("two_processes", "preflight", "peak_flops"):
        assert isinstance(results[part], dict), f"{part}: {results[part]}"


def test_what_must_hold_holds(results: dict[str, Any]) -> None:
    assert all(entry["equal"] and entry["same_run_twice"] for entry in results["resume"].values())
    assert results["two_processes"]["same_weights"] and results["two_processes"]["largest_difference"] < 0.01
    assert all(entry["ratio"] > 0 for entry in results["training"].values())
    quantiles = [entry["difference"] for entry in results["forecasting"].values() if entry["difference"] is not None]
    assert len(quantiles) == 2 and max(quantiles) < 1e-4


def test_the_page_has_a_row_for_everything_and_says_what_was_not_measured(results: dict[str, Any]) -> None:
    text = page(results)
    for part in (cases.TRAINING, cases.FORECASTING, cases.CONVERGENCE, cases.COMPILED):
        assert all(f"| {case.name} |" in text for case in part)
    training = text.split("## Training")[1].split("## Forecasting")[0]
    assert f"| chronos2 base, bf16 | {NOT} | {NOT} |" in training
    assert f"| chronos2 small, bf16 | {NOT}" not in training
    nothing = page(None)
    assert "No figure of this page has been measured yet" in nothing
    rows = [line for line in nothing.splitlines() if line.startswith(("| chronos", "- "))]
    assert rows and all(NOT in row for row in rows)


def test_time_that_is_up_is_said() -> None:
    few = cases.Cases(cases.TRAINING[:1], [], [], [], [])
    late = measure("cpu", cases.SMALL, -1.0, few)
    assert late["training"] == {cases.TRAINING[0].name: f"{NOT}: time was up"}


def test_operations_are_those_of_the_matrix_products() -> None:
    """Of a base model: three times two operations for each weight and position, and what attention takes."""
    case = cases.Case("chronos2", "small")
    size, full = cases.SIZES["small"], cases.FULL
    positions = full.context // full.patch + 1 + full.horizon // full.patch
    weights = size["num_layers"] * (
        8 * size["d_model"] * size["num_heads"] * size["d_kv"] + 2 * size["d_model"] * size["d_ff"]
    )
    assert flops_of(case, full) == pytest.approx(6 * weights * positions, rel=0.15)


def test_the_page_that_is_kept_is_the_commands() -> None:
    kept = (DOCS / "bench-gpu.md").read_text(encoding="utf-8")
    assert (DOCS / "bench-gpu.json").exists() or kept == page(None)
