"""The latest model of a name: which run it is of, how people see it, and what a launch makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chronos_training.config import TrainingConfig
from chronos_training.control.launch.lineage import without_latest
from chronos_training.control.registry.runs import latest_run, list_runs, table
from chronos_training.core import layout
from chronos_training.core.errors import ConfigurationError
from tests.run_specs import run_spec

BUCKET = "latest-models"


def ended(
    s3: Any, run_id: str, met: bool = True, name: str = "mine", status: str = "completed", env: str = "dev"
) -> None:
    """A run that has ended, as its prefix shows it."""
    metadata = {"name": name, "run_id": run_id, "metrics": {}, "validation": {"publish": {"met": met}}}
    state = {"status": status, "created_at": "2026-01-01T00:00:00Z", "heartbeat_at": "2026-01-01T00:10:00Z"}
    files = {
        "model_metadata.json": metadata,
        "system-state.json": state,
        "run_spec.json": json.loads(run_spec(training={"name": name}).body()),
    }
    if status == "completed":
        files["_SUCCESS"] = {}
    for file, content in files.items():
        s3.put_object(Bucket=BUCKET, Key=layout.run_prefix(env, run_id) + file, Body=json.dumps(content).encode())


def config(**model: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"name": "mine", "model": {"initialization": "pretrained", **model}})


def test_the_newest_recommended_model_of_a_completed_run_is_the_latest(s3: Any) -> None:
    assert latest_run(s3, BUCKET, "dev", "mine") is None
    ended(s3, "20251231-000000")
    ended(s3, "20260102-000000")
    ended(s3, "20260103-000000", met=False)
    ended(s3, "20260104-000000", name="another")
    ended(s3, "20260105-000000", status="interrupted")
    ended(s3, "20260106-000000", env="stage")
    assert latest_run(s3, BUCKET, "dev", "mine") == "20260102-000000"
    assert latest_run(s3, BUCKET, "stage", "mine") == "20260106-000000"
    assert latest_run(s3, BUCKET, "dev", "none") is None
    runs = list_runs(s3, BUCKET, "dev", 20, None)
    assert [run.run_id for run in runs if run.latest] == ["20260104-000000", "20260102-000000"]
    marked = {line[:15]: line.rsplit("  ", 1)[1] for line in table(runs) if "latest" in line}
    assert marked == {"20260104-000000": "latest another", "20260102-000000": "latest mine"}


def test_a_launch_takes_the_run_that_is_the_latest_then(s3: Any) -> None:
    ended(s3, "20260102-000000", env="prod")
    assert without_latest(config(base_run="latest"), s3, BUCKET, "prod").model.base_run == "20260102-000000"
    named = config(base_run="20250101-000000")
    assert without_latest(named, s3, BUCKET, "prod") is named


def test_without_a_recommended_model_there_is_nothing_to_start_from(s3: Any) -> None:
    ended(s3, "20260102-000000", met=False, env="prod")
    with pytest.raises(ConfigurationError, match="no run of prod has left a recommended model mine"):
        without_latest(config(base_run="latest"), s3, BUCKET, "prod")
