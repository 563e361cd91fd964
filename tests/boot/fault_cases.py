"""The faults of a machine, one function each: bring it about, return how it must end. The docstring is the table's first column."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from chronos_training.core import layout

from .scenario import PIPELINE, TRAINER, Scenario

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
CASES: dict[str, Callable[[Scenario], End]] = {}


def case(function: Callable[[Scenario], End]) -> Callable[[Scenario], End]:
    CASES[function.__name__] = function
    return function


def _cut(scenario: Scenario) -> None:
    scenario.note_logs()
    with scenario.remote_shell.network_cut():
        time.sleep(CUT_SECONDS)


@case
def network_cut_in_initialization(scenario: Scenario) -> End:
    """network cut for 60 s in initialization"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("initialization")
    _cut(scenario)
    return COMPLETED


@case
def network_cut_in_data_sync(scenario: Scenario) -> End:
    """network cut for 60 s in data_sync"""
    # Slow, so that it lasts until it is cut.
    scenario.operator.aws.fault("GetObject", delay=5, times=None, Key="cached-datasets/birthdays/19*")
    scenario.launch(WHOLE)
    scenario.wait_for_step("data_sync")
    scenario.operator.aws.clear_faults()
    _cut(scenario)
    return COMPLETED


@case
def network_cut_in_training(scenario: Scenario) -> End:
    """network cut for 60 s in training"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("training", 50)
    _cut(scenario)
    return COMPLETED


@case
def network_cut_in_results_sync(scenario: Scenario) -> End:
    """network cut for 60 s in results_sync"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("training", 50)
    year, month = scenario.run_id[:4], scenario.run_id[4:6]
    prefix = f"local/runs/{year}/{month}/{scenario.run_id[6:]}/"
    scenario.operator.aws.fault("PutObject", delay=5, times=1, Key=f"{prefix}models/*")
    scenario.wait_for_step("results_sync")
    scenario.operator.aws.clear_faults()
    _cut(scenario)
    return COMPLETED


@case
def network_cut_in_cleanup(scenario: Scenario) -> End:
    """network cut for 60 s in cleanup"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("training", 50)
    # The first thing that cleanup asks is what there is.
    scenario.operator.aws.fault("DescribeInstances", delay=5, times=1)
    scenario.wait_for_step("cleanup")
    scenario.operator.aws.clear_faults()
    _cut(scenario)
    return COMPLETED


@case
def s3_throttles(scenario: Scenario) -> End:
    """S3 answers SlowDown to 40 reads and 40 writes"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("initialization")
    for action in ("GetObject", "PutObject"):
        scenario.operator.aws.fault(action, "SlowDown", "Please reduce your request rate.", status=503, times=40)
    return COMPLETED


@case
def disk_too_small(scenario: Scenario) -> End:
    """disk smaller than environment and data"""
    scenario.operator.aws.inject(disk_bytes=200_000_000)
    scenario.launch(WHOLE)
    return End("failed", "Preflight: ")


@case
def disk_full(scenario: Scenario) -> End:
    """disk full in training"""
    scenario.operator.aws.inject(disk_bytes=5_000_000_000)
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    scenario.note_logs()
    scenario.remote_shell.run("dd", "if=/dev/zero", "of=/srv/filling", "bs=1M", check=False)
    return End("failed", "Training failed: The instance's disk is full.", kept="checkpoints")


@case
def trainer_hangs(scenario: Scenario) -> End:
    """training process hangs and ignores SIGTERM, until the deadline"""
    scenario.launch({**ENDLESS, "run": {"max_runtime_hours": 60 / 3600}})
    scenario.wait_for_checkpoint()
    scenario.note_logs()
    scenario.signal("STOP", TRAINER)  # a stopped process does not even get its SIGTERM
    return End("timed_out", "The run reached its limit of 1 min", kept="checkpoints")


@case
def pipeline_killed(scenario: Scenario) -> End:
    """pipeline killed by SIGKILL"""
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    scenario.note_logs()
    scenario.signal("KILL", PIPELINE)
    return End("failed", "The pipeline died", kept="checkpoints", by="the watcher")


@case
def watcher_stopped(scenario: Scenario) -> End:
    """watcher stopped and masked"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("training")
    scenario.note_logs()
    _end_the_watcher(scenario)
    return COMPLETED


@case
def watcher_and_pipeline_hang(scenario: Scenario) -> End:
    """watcher stopped, pipeline and training process hang and get no signal"""
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    _end_the_watcher(scenario)
    scenario.wait_for_logs()
    scenario.hang(PIPELINE, TRAINER)
    # Armed by the first line of the user data; here its time comes sooner.
    assert "MODE=poweroff" in scenario.remote_shell.path("/run/systemd/shutdown/scheduled").read_text()
    scenario.remote_shell.run("shutdown", "-h", "+1")
    return End("lost", kept="checkpoints", by="`shutdown -h +N`", settled=True)


@case
def everything_hangs(scenario: Scenario) -> End:
    """the same, and `shutdown -h +N` taken back"""
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    _end_the_watcher(scenario)
    scenario.remote_shell.run("shutdown", "-c")
    scenario.wait_for_logs()
    scenario.hang(PIPELINE, TRAINER)
    scenario.move_guard_up()
    return End("lost", kept="checkpoints", by="the termination schedule", settled=True)


@case
def metadata_down_at_boot(scenario: Scenario) -> End:
    """metadata service down for the first 20 s"""
    scenario.operator.aws.inject(metadata_down=True)
    scenario.launch(WHOLE)
    time.sleep(20)
    scenario.operator.aws.inject()
    return COMPLETED


@case
def metadata_down_before_the_claim(scenario: Scenario) -> End:
    """metadata service down for 60 s, after cloud-init has the user data"""
    scenario.launch(WHOLE)
    scenario.operator.aws.wait_for_console(scenario.instance_id, "modules:config", 60)
    scenario.operator.aws.inject(metadata_down=True)
    time.sleep(CUT_SECONDS)
    scenario.operator.aws.inject()
    return COMPLETED


@case
def metadata_down_later(scenario: Scenario) -> End:
    """metadata service down for 60 s in training"""
    scenario.launch(WHOLE)
    scenario.wait_for_step("training", 50)
    scenario.note_logs()
    scenario.operator.aws.inject(metadata_down=True)
    time.sleep(CUT_SECONDS)
    scenario.operator.aws.inject()
    return COMPLETED


@case
def clock_two_hours_behind(scenario: Scenario) -> End:
    """clock two hours behind"""
    scenario.operator.aws.inject(clock_ahead=7200)
    scenario.launch(WHOLE)
    return COMPLETED


@case
def clock_two_hours_ahead(scenario: Scenario) -> End:
    """clock two hours ahead"""
    scenario.operator.aws.inject(clock_ahead=-7200)
    scenario.launch(WHOLE)
    return COMPLETED


@case
def corrupt_image(scenario: Scenario) -> End:
    """environment image corrupt"""
    operator = scenario.operator
    current = operator.s3.get_object(Bucket=operator.bucket, Key=layout.RUNTIME_ENV_PREFIX + "current.json")
    key = json.loads(current["Body"].read())["image"]["key"]
    good = operator.s3.get_object(Bucket=operator.bucket, Key=key)["Body"].read()
    operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good[:-1] + bytes([good[-1] ^ 1]))
    try:
        scenario.launch(WHOLE)
        scenario.wait_for_the_machines_end()
    finally:
        operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=good)
    return End("failed", "The environment s3://")


@case
def spot_notice(scenario: Scenario) -> End:
    """Spot notice: AWS takes the instance back in two minutes"""
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    scenario.note_logs()
    scenario.spot_notice()
    return End("interrupted", "AWS is reclaiming this Spot instance.", kept="checkpoints")


@case
def machine_crashes(scenario: Scenario) -> End:
    """machine loses its power"""
    scenario.launch(ENDLESS)
    scenario.wait_for_checkpoint()
    scenario.wait_for_logs()
    machines = scenario.operator.aws.machines()
    (leader,) = [m["leader_pid"] for m in machines if m["instance_id"] == scenario.instance_id]
    os.kill(leader, signal.SIGKILL)
    return End("lost", kept="checkpoints", by="EC2", settled=True)


@case
def malformed_user_data(scenario: Scenario) -> End:
    """user data malformed, so that nothing of it runs"""
    tasks = scenario.folder / "roles/instance_user_data/tasks"
    tasks.mkdir(parents=True)
    content = "#cloud-config\nruncmd: [[shutdown, -h, now]\n"
    (tasks / "main.yml").write_text(json.dumps([{"set_fact": {"instance_user_data_content": content}}]))
    scenario.operator.roles = scenario.folder / "roles"
    try:
        scenario.launch(WHOLE)
    finally:
        scenario.operator.roles = None
    scenario.operator.aws.wait_for_console(scenario.instance_id, "Datasource DataSourceEc2", 60)
    scenario.move_guard_up()
    return End("lost", kept="nothing", by="the termination schedule", settled=True)


def _end_the_watcher(scenario: Scenario) -> None:
    for name in ("chronos-training-watcher.timer", "chronos-training-watcher.service"):
        scenario.remote_shell.run("systemctl", "stop", name, check=False)
        # Not mask: its file is where the link would be.
        scenario.remote_shell.run("mv", f"/etc/systemd/system/{name}", f"/root/{name}")
    scenario.remote_shell.run("systemctl", "daemon-reload")
