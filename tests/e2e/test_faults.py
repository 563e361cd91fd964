"""What goes wrong in real life: every path ends with the instance gone, its logs in S3 and one clear sentence."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import tarfile

import pytest

from chronos_training.control.publish.packing import pack_bytes
from chronos_training.core import layout

from .operator import eventually

LONG = {"steps": 100000, "warmup_steps": 10, "checkpoint_every_steps": 20}


def training_step(operator) -> dict:
    """Wait until the training writes checkpoints and return the state."""

    def look():
        state = operator.state()
        return state if state and state["progress"].get("step", 0) > 45 else None

    return eventually(look, "training under way")


@contextlib.contextmanager
def agent_with_a_bug(operator):
    """Publish an agent package whose scoring divides by zero, and the good one again afterwards."""
    current = f"{layout.RUNTIME_PACKAGE_PREFIX}current.json"
    good = operator.s3.get_object(Bucket=operator.bucket, Key=current)["Body"].read()
    archive = operator.s3.get_object(Bucket=operator.bucket, Key=json.loads(good)["key"])["Body"].read()
    entries = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            if member.isfile():
                entries[member.name] = tar.extractfile(member).read()
    bug = b"\ndef seasonal_scale(*a, **k):\n    raise ZeroDivisionError('a bug')\n"
    entries["app/chronos_training/evaluation/metrics.py"] += bug
    bad = pack_bytes(entries)
    digest = hashlib.sha256(bad).hexdigest()
    key = f"{layout.package_prefix(digest)}chronos-training-agent.tar.gz"
    operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=bad)
    changed = {**json.loads(good), "sha256": digest, "key": key, "size": len(bad)}
    operator.s3.put_object(Bucket=operator.bucket, Key=current, Body=json.dumps(changed).encode())
    try:
        yield
    finally:
        operator.s3.put_object(Bucket=operator.bucket, Key=current, Body=good)


def ended(operator, run_id: str, status: str) -> dict:
    """Wait until the run is archived with `status` and its instance is gone; return the archive."""
    eventually(lambda: operator.state() is None, "the release of the lock")
    archived = operator.artifact(run_id, "system-state.json")
    assert archived["status"] == status, archived
    eventually(lambda: operator.live_instances() == [], "the end of the instance")
    return archived


def test_a_killed_run_is_gone_on_from_by_another_instance(operator, config):
    """The second instance takes the first one's checkpoints and ends with its own result; another configuration is refused."""
    short = {"steps": 3000, "warmup_steps": 10, "checkpoint_every_steps": 20}
    mine = config(training=short, evaluation={"baselines": ["naive"]})
    operator.play("launch_training", training_launch_config_file=mine).succeeded()
    first = training_step(operator)["run_id"]
    operator.play("kill_training").succeeded()
    ended(operator, first, "killed")
    other = config(training=short | {"learning_rate": 1e-3})
    refused = operator.play(
        "launch_training", training_launch_config_file=other, training_launch_resume_run=first
    ).failed()
    assert "its training.learning_rate differed at launch" in refused.output and "Traceback" not in refused.output
    mine = config(training=short, evaluation={"baselines": ["naive"]})
    launched = operator.play("launch_training", training_launch_config_file=mine, training_launch_resume_run=first)
    assert f"of run {first}" in launched.succeeded().output and "resumes from step " in launched.output
    second = operator.state()["run_id"]
    assert "completed" in operator.play("monitor_training", training_monitor_interval=1).succeeded().output
    about = operator.artifact(second, "model_metadata.json")
    assert about["lineage"]["parent_run_id"] == first
    assert about["lineage"]["resumed_from_step"] >= 40 and about["model"]["last_step"] == 3000


def test_kill_in_the_middle_keeps_the_partial_results(operator, config):
    operator.play("launch_training", training_launch_config_file=config(training=LONG)).succeeded()
    run_id = training_step(operator)["run_id"]
    output = operator.play("kill_training").succeeded().output
    assert "the run stored its partial results and ended" in output
    archived = ended(operator, run_id, "killed")
    assert archived["error_message"].startswith("Killed at the request of ")
    files = operator.run_files(run_id)
    assert any(name.startswith("checkpoints/checkpoint-") for name in files)
    assert "_SUCCESS" not in files
    assert "saved checkpoint" in operator.log(run_id, "training")
    monitor = operator.play("monitor_training").failed().output
    assert f"run {run_id}: killed" in monitor
    operator.play("verify_cleanup").succeeded()
    assert "nothing to kill" in operator.play("kill_training").succeeded().output


@pytest.mark.protocol
def test_force_does_not_wait(operator, config):
    operator.play("launch_training", training_launch_config_file=config(training=LONG)).succeeded()
    run_id = operator.state()["run_id"]
    output = operator.play("kill_training", training_kill_force=True).succeeded().output
    assert "terminated, confirmed by EC2" in output
    ended(operator, run_id, "killed")


@pytest.mark.long  # tests/integration/test_transfer.py refuses it without an instance
def test_a_corrupt_data_file_is_refused_by_name_and_hash(operator, config):
    key = "cached-datasets/birthdays/1975/06/part-0.parquet"
    good = operator.s3.get_object(Bucket=operator.bucket, Key=key)["Body"].read()
    operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good[:-1] + b"X")
    try:
        operator.play("launch_training", training_launch_config_file=config()).succeeded()
        run_id = operator.state()["run_id"]
        monitor = operator.play("monitor_training", training_monitor_interval=1).failed().output
    finally:
        operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good)
    archived = ended(operator, run_id, "failed")
    assert "Data file 1975/06/part-0.parquet is corrupt: its sha256 is " in archived["error_message"]
    assert archived["current_step"] == "cleanup"
    assert "training" not in archived["steps"]
    assert "Data file 1975/06/part-0.parquet is corrupt" in monitor


@pytest.mark.protocol
def test_a_trainer_that_dies_leaves_a_sentence_and_its_checkpoints(operator, config):
    operator.play("launch_training", training_launch_config_file=config(training=LONG)).succeeded()
    state = training_step(operator)
    pid_file = operator.instance_root(state["instance_id"]) / "run/chronos-training/trainer.pid"
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    archived = ended(operator, state["run_id"], "failed")
    assert archived["error_message"].startswith("Training failed: it was killed by signal 9")
    assert any(name.startswith("checkpoints/checkpoint-") for name in operator.run_files(state["run_id"]))


@pytest.mark.long
def test_a_bug_in_training_leaves_its_traceback_in_the_log_and_one_sentence_in_the_state(operator, config):
    with agent_with_a_bug(operator):
        operator.play("launch_training", training_launch_config_file=config()).succeeded()
    run_id = operator.state()["run_id"]
    monitor = operator.play("monitor_training", training_monitor_interval=1).failed().output
    archived = ended(operator, run_id, "failed")
    assert "ZeroDivisionError" in archived["error_message"]
    assert "\n" not in archived["error_message"]
    assert archived["error_message"] in monitor
    assert "Traceback" not in monitor
    log = operator.log(run_id, "training")
    assert "Traceback (most recent call last)" in log
    assert "ZeroDivisionError: a bug" in log


def test_a_pipeline_that_dies_is_ended_by_the_watcher(operator, config):
    launch = {"training_launch_config_file": config(training=LONG), "training_launch_watch_seconds": 2}
    operator.play("launch_training", **launch).succeeded()
    state = training_step(operator)
    pid_file = operator.instance_root(state["instance_id"]) / "run/chronos-training/pipeline.pid"
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    archived = ended(operator, state["run_id"], "failed")
    assert archived["error_message"].startswith("The pipeline died")
    assert "ending the run from the watcher" in operator.log(state["run_id"], "watcher")
    assert any(name.startswith("checkpoints/checkpoint-") for name in operator.run_files(state["run_id"]))


def test_the_deadline_ends_the_run_and_keeps_its_results(operator, config):
    # Long enough for a machine that is busy with other tests: the training has to be under way by then.
    path = config(training=LONG, run={"max_runtime_hours": 120 / 3600})
    operator.play("launch_training", training_launch_config_file=path, training_launch_watch_seconds=2).succeeded()
    run_id = training_step(operator)["run_id"]
    archived = ended(operator, run_id, "timed_out")
    assert archived["error_message"] == "The run reached its limit of 2 min 00 s."
    assert any(name.startswith("checkpoints/checkpoint-") for name in operator.run_files(run_id))
    assert "training.log" in {key.rsplit("/", 1)[-1] for key in operator.keys(f"local/logs/{run_id}/")}


def test_a_stray_instance_is_named_and_then_killed(operator):
    tags = [{"Key": "Project", "Value": "Chronos-Training"}, {"Key": "Environment", "Value": "local"}]
    image = operator.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    stray = operator.ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )["Instances"][0]["InstanceId"]
    output = operator.play("verify_cleanup", training_cleanup_check_wait_seconds=0).failed().output
    assert f"instance {stray}" in output
    refused = operator.play("launch_training").failed().output
    assert f"local has instances without a run: {stray}" in refused
    operator.play("kill_training").succeeded()
    operator.play("verify_cleanup").succeeded()


@pytest.mark.protocol
def test_a_launch_settles_a_run_whose_instance_died(operator, config):
    operator.play("launch_training", training_launch_config_file=config(training=LONG)).succeeded()
    lost = operator.state()
    operator.ec2.terminate_instances(InstanceIds=[lost["instance_id"]])
    eventually(lambda: operator.live_instances() == [], "the end of the instance")
    output = operator.play("launch_training", training_launch_config_file=config()).succeeded().output
    assert f"Run {lost['run_id']} was dead" in output or operator.artifact(lost["run_id"], "system-state.json")
    assert operator.state()["run_id"] != lost["run_id"]


BAD = [
    ({"forecast": {"prediction_length": 0}}, "forecast.prediction_length"),
    ({"model": {"context_length": 14 * 1000}}, "model.context_length"),
    ({"model": {"familly": "chronos2"}}, "family"),
    ({"model": {"family": "chronos3"}}, "chronos2"),
    ({"dataset": {"name": "deaths"}}, "Published: birthdays"),
    ({"training": {"steps": "many"}}, "training.steps"),
]


@pytest.mark.parametrize(("section", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_configuration_is_refused_before_anything_is_created(operator, config, section, said):
    before = operator.keys("local/")
    output = operator.play("launch_training", training_launch_config_file=config(**section)).failed().output
    assert said in output
    assert "Traceback" not in output
    assert operator.keys("local/") == before
    assert operator.live_instances() == []
