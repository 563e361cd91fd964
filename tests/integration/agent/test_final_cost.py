"""What a run has cost in the end stands in its archive and in training.json, at no request more."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chronos_training.agent import machine
from chronos_training.agent.ending import Outcome, end_run
from chronos_training.agent.paths import Paths, Run
from chronos_training.core import aws as core_aws
from chronos_training.core import layout, typed_json
from chronos_training.core.record import RunRecord
from chronos_training.core.run_cost import cost_of_run
from chronos_training.core.run_spec import InstanceSpec, RunSpec
from chronos_training.core.states import STEPS
from chronos_training.core.store import StateStore, open_store
from tests.run_specs import run_spec

BUCKET = "chronos-training-local-123456789012-us-east-1"
RUN_ID, NOW = "20260102-030405", "2026-01-02T03:04:05Z"
INSTANCE = typed_json.read(InstanceSpec, {
    "type": "g4dn.2xlarge", "market": "on-demand", "count": 1, "price_date": "2026-01-01", "price_per_hour_usd": 7200.0,
    "prices_per_hour_usd": {
        "g4dn.2xlarge": {"instances": 7190.0, "volumes": 9.0, "addresses": 1.0, "total": 7200.0},
        "g4dn.xlarge": {"instances": 3590.0, "volumes": 9.0, "addresses": 1.0, "total": 3600.0},
    },
})  # fmt: skip


@pytest.fixture
def ended(aws: Any, s3: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that ends a run which lived `seconds` on the second of its types, and gives what it left."""
    for name, value in aws.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(core_aws, "_session", None)
    paths = Paths(tmp_path, tmp_path / "work", tmp_path / "logs", tmp_path / "state")
    paths.output.mkdir(parents=True)
    prefix = layout.run_prefix("local", RUN_ID)
    run = Run(
        RUN_ID, "local", "Chronos-Training", BUCKET, "us-east-1", prefix + "run_spec.json", "", 3600, 30, 10, 20, 1
    )

    def end(
        seconds: float, spec: RunSpec | None, *, said: float | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        machine.booted_at(paths.state)
        (paths.state / "booted_at").write_text(str(time.monotonic() - seconds))
        store: StateStore = open_store(BUCKET, "local", region="us-east-1")
        record = RunRecord("local", RUN_ID, "ann", "starting", NOW, NOW, NOW, "token", instance_type="g4dn.xlarge")
        seen = store.update(store.acquire(record), lambda r: r.evolve(instance_id="i-1"))
        seen = store.update(store.claim(RUN_ID, "i-1"), lambda r: r.evolve(cost_usd=said))
        steps = {step: {"started_at": NOW, "ended_at": NOW} for step in STEPS}
        end_run(paths, run, store, seen, Outcome("completed", None, steps, [], spec), lambda: None)
        return tuple(
            json.loads(s3.get_object(Bucket=BUCKET, Key=prefix + name)["Body"].read())
            for name in ("system-state.json", "training.json")
        )

    return end


def test_the_type_that_was_started_is_paid_for_the_time_that_it_lived(ended: Any) -> None:
    state, training = ended(600.0, run_spec(instance=INSTANCE))
    assert state["status"] == "completed"
    assert 600.0 <= state["cost_usd"] < 700.0
    cost = training["cost"]
    billed = cost["instance_seconds"][0]
    assert (billed["type"], billed["market"], billed["count"]) == ("g4dn.xlarge", "on-demand", 1)
    assert cost["usd"]["total"] == pytest.approx(billed["seconds"], abs=0.01)  # a dollar a second
    assert cost["usd"]["volumes"] == pytest.approx(billed["seconds"] * 9 / 3600, abs=0.01)
    assert cost_of_run(state, INSTANCE, 5.0) == state["cost_usd"]


def test_without_the_run_spec_the_last_heartbeat_holds(ended: Any) -> None:
    state, training = ended(600.0, None, said=123.5)
    assert state["cost_usd"] == 123.5
    assert training["cost"] is None


def test_a_machine_that_was_restarted_does_not_count_from_nothing(ended: Any) -> None:
    state, _ = ended(5.0, run_spec(instance=INSTANCE), said=500.0)
    assert state["cost_usd"] == 500.0
