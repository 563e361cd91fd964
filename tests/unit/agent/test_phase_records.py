"""A record is never worth the run, whatever is wrong with it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from chronos_training.agent.phase_records import PhaseRecords


def test_a_record_that_is_no_json_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    run: Any = SimpleNamespace(region="us-east-1", bucket="b", prefix="p/", run_id="20260101-000000", env="local")
    records = PhaseRecords(run, lambda: False)  # nothing is sent
    with caplog.at_level(logging.ERROR), records.phase("preflight", {"found": object()}):
        done = True
    assert done
    assert "preflight.json is not stored: Object of type object is not JSON serializable" in caplog.text
