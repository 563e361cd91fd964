"""Run specs as launches write them, for tests: whole where a test does not care."""

from __future__ import annotations

from typing import Any

from chronos_training.core.run_spec import DatasetSpec, InstanceSpec, LimitsSpec, RunSpec, RuntimeSpec, SeasonSpec

DATASET = DatasetSpec(
    name="panel", manifest_key="cached-datasets/panel/manifest.json", digest="d" * 64, files=1, bytes=10, items=2,
    rows=40, season=SeasonSpec(7, "days repeat by the week"),
)  # fmt: skip


def run_spec(run_id: str = "20260102-030405", **parts: Any) -> RunSpec:
    """Return the run spec of a run of environment `local`; `parts` replace its fields."""
    whole: dict[str, Any] = {
        "env": "local", "device": "cpu", "training": {"name": "mine"}, "dataset": DATASET,
        "created_at": "2026-01-02T03:04:05Z", "launched_by": "tester@here (pid 1)", "git_commit": "abc",
        "runtime": RuntimeSpec(None, None, "e" * 64, "f" * 64), "instance": InstanceSpec(("m5.large",), "m5.large"),
        "limits": LimitsSpec(3600.0),
    }  # fmt: skip
    return RunSpec(run_id=run_id, **whole | parts)
