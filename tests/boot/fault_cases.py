"""The faults of a machine, one function each: bring it about, return how it must end. The docstring is the table's first column."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from chronos_training.core import layout

from .story import PIPELINE, TRAINER, Story

CUT_SECONDS = 60
WHOLE = {"training": {"steps": 300, "warmup_steps": 10, "checkpoint_every_steps": 50}}
ENDLESS = {"training": {"steps": 100000, "warmup_steps": 10, "checkpoint_every_steps": 20}}


@dataclass(frozen=True)
class End:
    """How a run must end: its status, how its sentence begins, what is kept, and who ended the machine."""

    status: str
    said: str = ""
    kept: str = "logs"  # logs; checkpoints; everything
    by: str = "the pipeline"
    # Found dead by the next command, which settles it: nobody on the machine could write any more.
    settled: bool = False


COMPLETED = End("completed", kept="everything")
CASES: dict[str, Callable[[Story], End]] = {}


def case(function: Callable[[Story], End]) -> Callable[[Story], End]:
    CASES[function.__name__] = function
    return function


def _cut(story: Story) -> None:
    story.note_logs()
    with story.inside.network_cut():
        time.sleep(CUT_SECONDS)


@case
def network_cut_in_initialization(story: Story) -> End:
    """network cut for 60 s in initialization"""
    story.launch(WHOLE)
    story.wait_for_step("initialization")
    _cut(story)
    return COMPLETED


@case
def network_cut_in_data_sync(story: Story) -> End:
    """network cut for 60 s in data_sync"""
    # Slow, so that it lasts until it is cut.
    story.operator.aws.fault("GetObject", delay=5, times=None, Key="cached-datasets/birthdays/19*")
    story.launch(WHOLE)
    story.wait_for_step("data_sync")
    story.operator.aws.clear_faults()
    _cut(story)
    return COMPLETED


@case
def network_cut_in_training(story: Story) -> End:
    """network cut for 60 s in training"""
    story.launch(WHOLE)
    story.wait_for_step("training", 50)
    _cut(story)
    return COMPLETED


@case
def network_cut_in_results_sync(story: Story) -> End:
    """network cut for 60 s in results_sync"""
    story.launch(WHOLE)
    story.wait_for_step("training", 50)
    year, month = story.run_id[:4], story.run_id[4:6]
    prefix = f"local/runs/{year}/{month}/{story.run_id[6:]}/"
    story.operator.aws.fault("PutObject", delay=5, times=1, Key=f"{prefix}models/*")
    story.wait_for_step("results_sync")
    story.operator.aws.clear_faults()
    _cut(story)
    return COMPLETED


@case
def network_cut_in_cleanup(story: Story) -> End:
    """network cut for 60 s in cleanup"""
    story.launch(WHOLE)
    story.wait_for_step("training", 50)
    # The first thing that cleanup asks is what there is.
    story.operator.aws.fault("DescribeInstances", delay=5, times=1)
    story.wait_for_step("cleanup")
    story.operator.aws.clear_faults()
    _cut(story)
    return COMPLETED


@case
def s3_throttles(story: Story) -> End:
    """S3 answers SlowDown to 40 reads and 40 writes"""
    story.launch(WHOLE)
    story.wait_for_step("initialization")
    for action in ("GetObject", "PutObject"):
        story.operator.aws.fault(action, "SlowDown", "Please reduce your request rate.", status=503, times=40)
    return COMPLETED


@case
def disk_too_small(story: Story) -> End:
    """disk smaller than environment and data"""
    story.operator.aws.inject(disk_bytes=200_000_000)
    story.launch(WHOLE)
    return End("failed", "Preflight: ")


@case
def disk_full(story: Story) -> End:
    """disk full in training"""
    story.operator.aws.inject(disk_bytes=5_000_000_000)
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    story.note_logs()
    story.inside.run("dd", "if=/dev/zero", "of=/srv/filling", "bs=1M", check=False)
    return End("failed", "Training failed: The instance's disk is full.", kept="checkpoints")


@case
def trainer_hangs(story: Story) -> End:
    """training process hangs and ignores SIGTERM, until the deadline"""
    story.launch({**ENDLESS, "run": {"max_runtime_hours": 60 / 3600}})
    story.wait_for_checkpoint()
    story.note_logs()
    story.signal("STOP", TRAINER)  # a stopped process does not even get its SIGTERM
    return End("timed_out", "The run reached its limit of 1 min", kept="checkpoints")


@case
def pipeline_killed(story: Story) -> End:
    """pipeline killed by SIGKILL"""
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    story.note_logs()
    story.signal("KILL", PIPELINE)
    return End("failed", "The pipeline died", kept="checkpoints", by="the watcher")


@case
def watcher_stopped(story: Story) -> End:
    """watcher stopped and masked"""
    story.launch(WHOLE)
    story.wait_for_step("training")
    story.note_logs()
    _end_the_watcher(story)
    return COMPLETED


@case
def watcher_and_pipeline_hang(story: Story) -> End:
    """watcher stopped, pipeline and training process hang and get no signal"""
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    _end_the_watcher(story)
    story.wait_for_logs()
    story.hang(PIPELINE, TRAINER)
    # Armed by the first line of the user data; here its time comes sooner.
    assert "MODE=poweroff" in story.inside.path("/run/systemd/shutdown/scheduled").read_text()
    story.inside.run("shutdown", "-h", "+1")
    return End("lost", kept="checkpoints", by="`shutdown -h +N`", settled=True)


@case
def everything_hangs(story: Story) -> End:
    """the same, and `shutdown -h +N` taken back"""
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    _end_the_watcher(story)
    story.inside.run("shutdown", "-c")
    story.wait_for_logs()
    story.hang(PIPELINE, TRAINER)
    story.move_guard_up()
    return End("lost", kept="checkpoints", by="the termination schedule", settled=True)


@case
def metadata_down_at_boot(story: Story) -> End:
    """metadata service down for the first 20 s"""
    story.operator.aws.inject(metadata_down=True)
    story.launch(WHOLE)
    time.sleep(20)
    story.operator.aws.inject()
    return COMPLETED


@case
def metadata_down_before_the_claim(story: Story) -> End:
    """metadata service down for 60 s, after cloud-init has the user data"""
    story.launch(WHOLE)
    story.operator.aws.wait_for_console(story.instance_id, "modules:config", 60)
    story.operator.aws.inject(metadata_down=True)
    time.sleep(CUT_SECONDS)
    story.operator.aws.inject()
    return COMPLETED


@case
def metadata_down_later(story: Story) -> End:
    """metadata service down for 60 s in training"""
    story.launch(WHOLE)
    story.wait_for_step("training", 50)
    story.note_logs()
    story.operator.aws.inject(metadata_down=True)
    time.sleep(CUT_SECONDS)
    story.operator.aws.inject()
    return COMPLETED


@case
def clock_two_hours_behind(story: Story) -> End:
    """clock two hours behind"""
    story.operator.aws.inject(clock_ahead=7200)
    story.launch(WHOLE)
    return COMPLETED


@case
def clock_two_hours_ahead(story: Story) -> End:
    """clock two hours ahead"""
    story.operator.aws.inject(clock_ahead=-7200)
    story.launch(WHOLE)
    return COMPLETED


@case
def corrupt_image(story: Story) -> End:
    """environment image corrupt"""
    operator = story.operator
    current = operator.s3.get_object(Bucket=operator.bucket, Key=layout.RUNTIME_ENV_PREFIX + "current.json")
    key = json.loads(current["Body"].read())["image"]["key"]
    good = operator.s3.get_object(Bucket=operator.bucket, Key=key)["Body"].read()
    operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good[:-1] + bytes([good[-1] ^ 1]))
    try:
        story.launch(WHOLE)
        story.wait_for_the_machines_end()
    finally:
        operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good)
    return End("failed", "The environment s3://")


@case
def spot_notice(story: Story) -> End:
    """Spot notice: AWS takes the instance back in two minutes"""
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    story.note_logs()
    story.spot_notice()
    return End("interrupted", "AWS is reclaiming this Spot instance.", kept="checkpoints")


@case
def machine_crashes(story: Story) -> End:
    """machine loses its power"""
    story.launch(ENDLESS)
    story.wait_for_checkpoint()
    story.wait_for_logs()
    machines = story.operator.aws.machines()
    (leader,) = [m["leader_pid"] for m in machines if m["instance_id"] == story.instance_id]
    os.kill(leader, signal.SIGKILL)
    return End("lost", kept="checkpoints", by="EC2", settled=True)


@case
def malformed_user_data(story: Story) -> End:
    """user data malformed, so that nothing of it runs"""
    tasks = story.folder / "roles/instance_user_data/tasks"
    tasks.mkdir(parents=True)
    content = "#cloud-config\nruncmd: [[shutdown, -h, now]\n"
    (tasks / "main.yml").write_text(json.dumps([{"set_fact": {"instance_user_data_content": content}}]))
    story.operator.roles = story.folder / "roles"
    try:
        story.launch(WHOLE)
    finally:
        story.operator.roles = None
    story.operator.aws.wait_for_console(story.instance_id, "Datasource DataSourceEc2", 60)
    story.move_guard_up()
    return End("lost", kept="nothing", by="the termination schedule", settled=True)


def _end_the_watcher(story: Story) -> None:
    for name in ("chronos-training-watcher.timer", "chronos-training-watcher.service"):
        story.inside.run("systemctl", "stop", name, check=False)
        # Not mask: its file is where the link would be.
        story.inside.run("mv", f"/etc/systemd/system/{name}", f"/root/{name}")
    story.inside.run("systemctl", "daemon-reload")
