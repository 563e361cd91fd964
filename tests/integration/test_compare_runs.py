"""Runs side by side, and what the list of them says of their cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chronos_training.control.registry.compare import compare
from chronos_training.control.registry.runs import list_runs, table
from chronos_training.core import layout
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.run_spec import InstanceSpec
from tests.run_specs import run_spec

BUCKET = "compared-runs"
FIRST, SECOND, THIRD = "20260101-000000", "20260102-000000", "20260103-000000"


def ended(s3: Any, run_id: str, *, wql: float | None = 0.05, price: float | None = 1.2, **training: Any) -> None:
    """A run of ten minutes, as its prefix shows it."""
    state = {"status": "completed", "created_at": "2026-01-01T00:00:00Z", "heartbeat_at": "2026-01-01T00:10:00Z"}
    spec = run_spec(
        run_id,
        training={"name": "mine", "training": {"steps": 100, "learning_rate": 0.001} | training},
        instance=InstanceSpec(("m5.large",), volume_gb=100, price_per_hour_usd=price),
    )
    files: dict[str, Any] = {"system-state.json": state, "run_spec.json": json.loads(spec.body())}
    if wql is not None:
        files["model_metadata.json"] = {"name": "mine", "metrics": {"wql": wql, "mase": 1.0}, "validation": {}}
    for name, content in files.items():
        s3.put_object(Bucket=BUCKET, Key=layout.run_prefix("dev", run_id) + name, Body=json.dumps(content).encode())


def test_what_differs_and_how_they_scored(s3: Any) -> None:
    ended(s3, FIRST)
    ended(s3, SECOND, wql=0.04, steps=300)
    found = compare(s3, BUCKET, "dev", [FIRST, SECOND], None)
    assert found.configuration == {"training.steps": [100, 300]}
    assert found.metrics == {"wql": [0.05, 0.04], "mase": [1.0, 1.0]}
    text = [line.split() for line in found.lines()]
    assert text[0] == [FIRST, SECOND]
    assert ["training.steps", "100", "300"] in text
    assert ["wql", "0.0500", "0.0400", "-20.0", "%"] in text
    assert ["cost", "$0.20", "$0.20"] in text
    assert max(map(len, found.lines())) < 78


def test_what_the_verdicts_were_and_over_how_many_series(s3: Any) -> None:
    for run_id, result in ((FIRST, "better"), (SECOND, "cannot tell")):
        ended(s3, run_id)
        metadata = {
            "name": "mine",
            "metrics": {"wql": 0.05, "relative_wql": 0.7, "relative_wql_series": 1051},
            "validation": {"verdict": {"result": result}, "interval_coverage": {"result": "too narrow"}},
        }
        key = layout.run_prefix("dev", run_id) + "model_metadata.json"
        s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(metadata).encode())
    found = compare(s3, BUCKET, "dev", [FIRST, SECOND], None)
    text = [" ".join(line.split()) for line in found.lines()]
    assert "relative_wql_series 1,051 1,051" in text and "against naive better cannot tell" in text
    assert "intervals too narrow too narrow" in text
    runs = list_runs(s3, BUCKET, "dev", 20, None)
    assert [(run.series, run.verdict) for run in runs] == [(1051, "cannot tell"), (1051, "better")]
    assert max(map(len, table(runs))) < 78 and "0.700 (1051)" in " ".join(table(runs)[2].split())


def test_a_run_without_scores_has_none_and_three_fit_side_by_side(s3: Any) -> None:
    ended(s3, FIRST)
    ended(s3, SECOND, wql=None, note="x" * 200)
    ended(s3, THIRD, wql=0.03)
    found = compare(s3, BUCKET, "dev", [THIRD, SECOND, FIRST], None)
    assert found.metrics["wql"] == [0.03, None, 0.05]
    assert found.configuration == {"training.note": [None, "x" * 200, None]}
    assert max(map(len, found.lines())) < 120


def test_runs_that_are_the_same_say_so(s3: Any) -> None:
    ended(s3, FIRST)
    ended(s3, SECOND)
    found = compare(s3, BUCKET, "dev", [FIRST, SECOND], None)
    assert found.configuration == {}
    assert "the runs were launched with the same settings" in found.lines()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([FIRST], "Compare two to 4 different runs"),
        ([FIRST, FIRST], "Compare two to 4 different runs"),
        ([FIRST, "last"], "'last' is not a run id"),
        ([FIRST, THIRD], f"There is no run {THIRD} in dev"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(s3: Any, wanted: list[str], says: str) -> None:
    ended(s3, FIRST)
    with pytest.raises(ConfigurationError, match=says):
        compare(s3, BUCKET, "dev", wanted, None)


def test_the_list_ends_with_what_the_runs_cost_together_and_fits_eighty_columns(s3: Any) -> None:
    ended(s3, FIRST)
    ended(s3, SECOND, wql=None)
    lines = table(list_runs(s3, BUCKET, "dev", 20, None))
    assert lines[-1] == "2 runs, $0.40 together"
    assert max(map(len, lines)) < 78
    ended(s3, THIRD, price=None)
    assert table(list_runs(s3, BUCKET, "dev", 20, None))[-1] == ("3 runs, $0.40 together, without 1 of unknown cost")
