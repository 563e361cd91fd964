"""The records of a run's phases: what a real run writes fits the schemas, and a run that dies leaves those before (R42)."""

from __future__ import annotations

import json
import os
import signal

import jsonschema
import pytest

from chronos_training.control.orphans.cleanup_status import complete
from chronos_training.control.orphans.snapshot import Scope
from chronos_training.control.orphans.verify import verify
from chronos_training.core import aws, layout
from chronos_training.core.run_records import (
    CLEANUP_STATUS,
    DATA_SYNC,
    PREFLIGHT,
    RECORDS,
    RESULTS_SYNC,
    TRAINING,
    file_name,
    schema,
)
from local_aws.testing import wait_for
from tests.protocol import whole_run
from tests.protocol.crash_account import BUCKET, ENV, PROJECT, REGION, CrashAccount

SECONDS = 60.0  # that a run may take on a busy machine


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    account = CrashAccount(tmp_path_factory.mktemp("records") / "home")
    yield account
    account.aws.clear_faults()
    account.kill()
    account.close()


def records(account: CrashAccount) -> dict[str, dict]:
    """Return the records of the last run, each checked against its schema."""
    found = {}
    for record in RECORDS:
        if account.has(account.last_run, file_name(record)):
            key = layout.run_prefix(ENV, account.last_run) + file_name(record)
            found[record] = json.loads(account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            jsonschema.Draft202012Validator(schema(record)).validate(found[record])
    return found


def wait_for_step(account: CrashAccount, step: str) -> str:
    """Wait until the run is in `step`; return its instance."""
    wait_for(lambda: (account.see().state or {}).get("current_step") == step, f"the step {step}", SECONDS)
    return account.leader()


def crash(account: CrashAccount, instance_id: str) -> None:
    """Kill the pipeline's process: it says nothing more. (The watcher ends the run.)"""
    os.kill(int((account.aws.root(instance_id) / "run/chronos-training/pipeline.pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("record", RECORDS)
def test_a_schema_is_one_and_allows_nothing_else(record):
    jsonschema.Draft202012Validator.check_schema(schema(record))
    assert schema(record)["additionalProperties"] is False
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema(record)).validate({"run_id": "20260101-000000"})


def test_a_run_writes_five_records(account, monkeypatch):
    published = whole_run.publish(account)
    assert whole_run.launch(account, published).exit == 0
    assert whole_run.wait_for_end(account, SECONDS)
    found = records(account)
    assert tuple(found) == RECORDS
    assert {found[r]["status"] for r in (PREFLIGHT, DATA_SYNC, TRAINING, RESULTS_SYNC)} == {"completed"}
    assert found[PREFLIGHT]["machine"]["device"] == "cpu"
    assert found[PREFLIGHT]["environment"]["sha256"] == published.environment["sha256"]
    arrived = found[DATA_SYNC]["dataset"]
    assert (arrived["files"], arrived["bytes"]) == (3, published.dataset.bytes)
    assert found[RESULTS_SYNC]["artifacts"] == found[TRAINING]["artifacts"]
    assert found[RESULTS_SYNC]["files"] == 2
    assert found[CLEANUP_STATUS]["status"] == "terminating"
    # What an instance cannot see is added from outside.
    for name, value in account.aws.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_session", None)
    seen = verify(Scope(ENV, PROJECT, REGION, (REGION,), BUCKET), 10, print)
    assert complete(account.s3, seen, seen, print)
    assert records(account)[CLEANUP_STATUS]["status"] == "clean"


def test_a_run_that_dies_in_training_leaves_the_records_before(account):
    published = whole_run.publish(account, seconds=300)
    assert whole_run.launch(account, published, deadline=600.0).exit == 0
    instance_id = wait_for_step(account, "training")
    assert set(records(account)) == {PREFLIGHT, DATA_SYNC}
    crash(account, instance_id)
    assert whole_run.wait_for_end(account, SECONDS)
    found = records(account)
    assert set(found) == {PREFLIGHT, DATA_SYNC, TRAINING, CLEANUP_STATUS}
    assert found[TRAINING]["status"] == "failed"


def test_a_run_that_dies_while_it_stores_results_has_told_that_it_trained(account):
    published = whole_run.publish(account)
    assert whole_run.launch(account, published).exit == 0
    key = layout.run_prefix(ENV, account.last_run) + "checkpoints/model.bin"
    account.aws.fault("PutObject", delay=SECONDS, Key=key)
    instance_id = wait_for_step(account, "results_sync")
    wait_for(lambda: TRAINING in records(account), "training.json", SECONDS)
    told = records(account)[TRAINING]
    assert (told["status"], told["artifacts"]) == ("running", [])
    assert told["phases"]["training"]["seconds"] >= 0
    crash(account, instance_id)
    assert whole_run.wait_for_end(account, SECONDS)
    found = records(account)
    assert RESULTS_SYNC not in found
    assert found[TRAINING]["status"] == "failed"


def test_the_phase_that_failed_says_why(account):
    published = whole_run.publish(account)
    account.s3.delete_object(Bucket=BUCKET, Key=layout.dataset_prefix("tiny") + "2024/02/part-0.parquet")
    assert whole_run.launch(account, published).exit == 0
    assert whole_run.wait_for_end(account, SECONDS)
    found = records(account)
    assert set(found) == {PREFLIGHT, DATA_SYNC, TRAINING, CLEANUP_STATUS}
    assert (found[DATA_SYNC]["status"], found[DATA_SYNC]["dataset"]) == ("failed", None)
    assert "2024/02/part-0.parquet" in found[DATA_SYNC]["error_message"]


def test_a_record_that_cannot_be_stored_fails_no_run_and_comes_later(account):
    published = whole_run.publish(account)
    assert whole_run.launch(account, published).exit == 0
    key = layout.run_prefix(ENV, account.last_run) + file_name(PREFLIGHT)
    account.aws.fault("PutObject", "InternalError", "not now", status=500, Key=key)
    assert whole_run.wait_for_end(account, SECONDS)
    assert account.aws.faults() == []
    assert tuple(records(account)) == RECORDS
    assert "preflight.json not stored; will retry" in log(account)


def log(account: CrashAccount) -> str:
    """Return the pipeline's log of the last run."""
    key = layout.logs_prefix(ENV, account.last_run) + "pipeline.log"
    return account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
