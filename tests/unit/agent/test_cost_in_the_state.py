"""The state tells what the run has cost, with the writes that there are anyway."""

from __future__ import annotations

import json
import subprocess
import sys

from chronos_training.agent import requests
from chronos_training.agent.ending import cost_so_far
from chronos_training.agent.paths import Paths
from chronos_training.agent.reporter import Reporter
from chronos_training.core.aws import SENT
from chronos_training.core.record import RunRecord
from chronos_training.core.run_spec import InstanceSpec
from tests.run_specs import run_spec
from tests.unit.core.memory_wire import MemoryObject
from tests.unit.core.test_store import record, store_on

SPEC = run_spec(instance=InstanceSpec(type="m5.large", price_per_hour_usd=3600.0))


def reporter_on(stored: MemoryObject) -> Reporter:
    store = store_on(stored)
    return Reporter(store, store.acquire(record()), 30.0, lambda: None)


def test_each_write_tells_the_cost_so_far_and_there_is_no_write_more():
    stored = MemoryObject()
    reporter, costs = reporter_on(stored), iter([None, 0.25, 0.5])
    reporter.price(lambda: next(costs))
    reporter.begin("initialization")
    reporter.flush()
    reporter.flush()
    assert [json.loads(body)["cost_usd"] for body in stored.writes] == [None, None, 0.25, 0.5]  # the first is the lock


def test_a_state_from_before_there_was_a_cost_is_still_read():
    old = {key: value for key, value in json.loads(record().to_json()).items() if key != "cost_usd"}
    assert RunRecord.from_json(json.dumps(old).encode(), "s3://b/k").cost_usd is None


def test_it_counts_from_the_boot_by_monotonic_time(tmp_path, monkeypatch):
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path / "state")
    now = [1000.0]
    monkeypatch.setattr("chronos_training.agent.ending.time.monotonic", lambda: now[0])
    assert cost_so_far(paths, SPEC, "m5.large") == 60.0  # a minute is billed at least
    now[0] += 90.0
    assert cost_so_far(paths, SPEC, "m5.large") == 90.0
    assert cost_so_far(paths, None, "m5.large") is None


def test_a_note_that_cannot_be_read_costs_a_number_not_the_run(tmp_path):
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path / "state")
    paths.state.mkdir()
    (paths.state / "booted_at").write_text("torn")
    assert cost_so_far(paths, SPEC, None) == 60.0


def test_the_requests_of_a_pipeline_that_died_are_still_paid_for(tmp_path):
    code = """
import sys, pathlib
from chronos_training.core.aws import SENT
from chronos_training.agent import requests
SENT.add(writes=7, reads=11)
requests.note(pathlib.Path(sys.argv[1]))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    before, found = SENT.counts(), requests.counts(tmp_path)
    assert found == {"writes": before["writes"] + 7, "reads": before["reads"] + 11}
    requests.note(tmp_path)  # this process's own note is not added to what it knows itself
    (tmp_path / "requests.1").write_text("torn")
    assert requests.counts(tmp_path) == found
