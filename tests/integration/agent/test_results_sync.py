"""Checkpoints while training and results at the end, against a real server with injected faults."""

from __future__ import annotations

import shutil
import threading

import pytest

from chronos_training.agent import checkpoint_sync, retry_policy
from chronos_training.agent.checkpoint_sync import CheckpointSync
from chronos_training.agent.results_sync import NotInTime, Results, _in_order
from chronos_training.core import aws as clients
from chronos_training.core.errors import TrainingError
from local_aws.testing import wait_for

BUCKET, PREFIX = "results-of-a-run", "local/runs/2026/01/01-000000/"


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def results(s3, output, tmp_path):
    return Results(s3, BUCKET, PREFIX, output, tmp_path / "sent.json")


def checkpoint(output, step, *, complete=True):
    folder = output / f"checkpoints/checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights %d" % step * 100)
    (folder / "optimizer.pt").write_bytes(b"moments %d" % step * 100)
    if complete:
        (folder / "complete.json").write_text("{}")
    return folder


def keys(s3) -> list[str]:
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])
    return sorted(entry["Key"][len(PREFIX) :] for entry in found)


def counted(aws, operation) -> int:
    return sum(r["count"] for r in aws.requests() if r["operation"] == f"s3.{operation}")


def test_the_completion_marker_of_a_checkpoint_goes_last_and_the_newest_checkpoint_first():
    names = [
        "checkpoints/checkpoint-20/complete.json",
        "checkpoints/checkpoint-20/model",
        "checkpoints/checkpoint-100/complete.json",
        "checkpoints/checkpoint-100/model",
        "checkpoints/checkpoint-120/model",  # torn: it has no completion marker
        "report.html",
    ]
    assert _in_order(names) == [
        ["checkpoints/checkpoint-100/model"],
        ["checkpoints/checkpoint-100/complete.json"],
        ["checkpoints/checkpoint-20/model", "checkpoints/checkpoint-120/model", "report.html"],
        ["checkpoints/checkpoint-20/complete.json"],
    ]


def test_whole_checkpoints_are_sent_once_the_newest_first(aws, s3, output, results):
    checkpoint(output, 20)
    checkpoint(output, 40)
    checkpoint(output, 60, complete=False)
    assert results.send_newest_checkpoint() == "checkpoint-40"
    assert {key.split("/")[1] for key in keys(s3)} == {"checkpoint-40"}
    # The older one is kept for a reason: it may be the best so far.
    assert results.send_newest_checkpoint() == "checkpoint-20"
    assert {key.split("/")[1] for key in keys(s3)} == {"checkpoint-20", "checkpoint-40"}
    assert results.send_newest_checkpoint() is None
    assert counted(aws, "PutObject") == 6


def test_a_failure_in_the_middle_leaves_no_seal(aws, s3, output, results):
    checkpoint(output, 20)
    aws.fault(
        "PutObject", "InternalError", status=500, times=None, Key=PREFIX + "checkpoints/checkpoint-20/optimizer.pt"
    )
    with pytest.raises(TrainingError):
        results.send_newest_checkpoint()
    assert "checkpoints/checkpoint-20/complete.json" not in keys(s3)
    aws.clear_faults()
    assert results.send_newest_checkpoint() == "checkpoint-20"
    assert "checkpoints/checkpoint-20/complete.json" in keys(s3)


def test_what_the_trainer_dropped_is_dropped_from_s3_too(s3, output, results):
    old = checkpoint(output, 20)
    results.send_newest_checkpoint()
    shutil.rmtree(old)
    checkpoint(output, 40)
    results.send_newest_checkpoint()
    assert {key.split("/")[1] for key in keys(s3)} == {"checkpoint-40"}


def test_the_end_sends_nothing_twice_and_reads_everything_back(aws, s3, output, results, tmp_path):
    checkpoint(output, 20)
    results.send_newest_checkpoint()
    (output / "report.html").write_text("<p>good</p>")
    (output / "progress.json").write_text("{}")
    aws.forget_requests()
    taken_over = Results(
        s3, BUCKET, PREFIX, output, tmp_path / "sent.json"
    )  # the watcher's, after the pipeline's death
    stored = taken_over.store()
    assert [artifact["path"] for artifact in stored] == [
        "checkpoints/checkpoint-20/complete.json",
        "checkpoints/checkpoint-20/model.safetensors",
        "checkpoints/checkpoint-20/optimizer.pt",
        "report.html",
    ]
    assert counted(aws, "PutObject") == 1
    assert counted(aws, "GetObject") == 4


def test_a_file_that_changed_since_it_was_sent_is_sent_again(s3, output, results):
    (output / "loss.csv").write_text("1")
    first = results.store()[0]["sha256"]
    (output / "loss.csv").write_text("1\n2")
    assert results.store()[0]["sha256"] != first
    assert s3.get_object(Bucket=BUCKET, Key=PREFIX + "loss.csv")["Body"].read() == b"1\n2"


def test_bytes_that_were_damaged_in_the_bucket_are_sent_again(s3, output, results):
    checkpoint(output, 20)
    results.send_newest_checkpoint()
    s3.put_object(Bucket=BUCKET, Key=PREFIX + "checkpoints/checkpoint-20/model.safetensors", Body=b"damaged")
    results.store()
    body = s3.get_object(Bucket=BUCKET, Key=PREFIX + "checkpoints/checkpoint-20/model.safetensors")["Body"].read()
    assert body.startswith(b"weights 20")


def test_when_time_runs_out_the_newest_checkpoint_is_there_and_what_was_stored_is_said(aws, s3, output, results):
    checkpoint(output, 20)
    (output / "late.bin").write_text("late")
    aws.fault("PutObject", times=None, delay=20.0, Key=PREFIX + "late.bin")
    left = iter([5.0] * 3 + [0.5] * 10)
    with pytest.raises(NotInTime, match="3 of 4"):
        results.store(time_left=lambda: next(left))
    assert len(results.stored) == 3
    assert "checkpoints/checkpoint-20/complete.json" in keys(s3)
    aws.clear_faults()


def test_throttling_is_waited_out(aws, s3, output, results, monkeypatch):
    monkeypatch.setattr(retry_policy.time, "sleep", lambda seconds: None)
    for number in range(5):
        (output / f"file-{number}").write_text("x")
    aws.fault("PutObject", "SlowDown", status=503, times=8)
    assert len(results.store()) == 5


def test_a_request_to_stop_ends_the_wait_for_s3(aws, output, results):
    (output / "report.html").write_text("x")
    aws.fault("PutObject", "SlowDown", status=503, times=None)

    def check():
        raise TrainingError("asked to stop")

    with pytest.raises(TrainingError, match="asked to stop"):
        results.store(check=check)


def test_the_thread_never_troubles_the_training(aws, s3, output, results, monkeypatch):
    monkeypatch.setattr(checkpoint_sync, "APART_SECONDS", 0.1)
    sync = CheckpointSync(results, look_seconds=0.05)
    aws.fault("PutObject", "InternalError", status=500, times=2)
    sync.start()
    checkpoint(output, 20)
    wait_for(lambda: sync.seconds is not None, "a checkpoint in S3")
    assert "checkpoints/checkpoint-20/complete.json" in keys(s3)
    sync.stop()
    assert not any(thread.name == "checkpoint-sync" for thread in threading.enumerate())


def test_the_client_of_the_instance_notices_dead_connections_soon():
    assert retry_policy.CONFIG.connect_timeout <= 5
    assert retry_policy.CONFIG.read_timeout <= 20
    assert clients.STANDARD.read_timeout >= retry_policy.CONFIG.read_timeout


def test_an_old_checkpoint_that_cannot_be_removed_fails_no_run(aws, s3, output, results):
    old = checkpoint(output, 20)
    results.send_newest_checkpoint()
    shutil.rmtree(old)
    (output / "report.html").write_text("<p>good</p>")
    aws.fault("DeleteObjects", "AccessDenied", status=403, times=None)
    stored = results.store()
    assert [artifact["path"] for artifact in stored] == ["report.html"]
    aws.clear_faults()
    results.store()
    assert {key.split("/")[-1] for key in keys(s3)} == {"report.html"}
