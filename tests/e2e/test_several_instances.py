"""A run on two instances through the playbooks: it completes as one, and the loss of either ends both."""

from __future__ import annotations

import os
import signal

import pytest

from .operator import eventually
from .test_faults import agent_with_a_bug, ended

RUN = {"instances": 2}
LONG = {"steps": 100000, "warmup_steps": 10, "checkpoint_every_steps": 20}


def in_training(operator) -> dict:
    """Wait until both train and checkpoints are written; return the state."""

    def look():
        state = operator.state()
        return state if state and state["progress"].get("step", 0) > 45 else None

    return eventually(look, "training under way")


def test_two_instances_train_one_model(operator, config):
    mine = config(run=RUN)
    launched = operator.play("launch_training", training_launch_config_file=mine).succeeded().output
    state = operator.state()
    leader, [member] = state["instance_id"], state["members"]
    assert f"instances {leader}, {member} started, {leader} is the head node" in launched
    assert "instances    2 x " in launched
    assert set(operator.live_instances()) == {leader, member}
    during = operator.play("verify_cleanup").succeeded().output
    assert f"clean: run {state['run_id']} is active, no orphans" in during
    assert "completed" in operator.play("monitor_training", training_monitor_interval=1).succeeded().output
    archived = ended(operator, state["run_id"], "completed")
    assert archived["rendezvous"].startswith("127.0.0.1:")
    # The member's own account of it, beside the head node's.
    assert "connecting to the head node at" in operator.log(state["run_id"], "member-1/pipeline")
    assert "bootstrap: run" in operator.log(state["run_id"], "member-1/bootstrap")
    assert "saved checkpoint" in operator.log(state["run_id"], "training")
    files = operator.run_files(state["run_id"])
    assert {"_SUCCESS", "report.html", "checkpoints/checkpoint-60/complete.json"} <= files
    after = operator.play("verify_cleanup").succeeded().output
    assert "clean" in after and "orphan" not in after.replace("no orphan", "")
    schedules = operator.aws.client("scheduler").list_schedules(GroupName="chronos-training-local")["Schedules"]
    assert schedules == []


def test_a_lost_member_ends_the_run_and_what_was_learnt_is_kept(operator, config):
    mine = config(training=LONG, run=RUN)
    operator.play("launch_training", training_launch_config_file=mine, training_launch_watch_seconds=2).succeeded()
    state = in_training(operator)
    [member] = state["members"]
    # Its watcher ends the machine, and only that: the run is the head node's to end.
    pipeline = operator.instance_root(member) / "run/chronos-training/pipeline.pid"
    os.kill(int(pipeline.read_text()), signal.SIGKILL)
    archived = ended(operator, state["run_id"], "failed")
    assert f"Instance {member} of this run is " in archived["error_message"]
    assert "ending the run from the watcher" in operator.log(state["run_id"], "member-1/watcher")
    assert any(name.endswith("complete.json") for name in operator.run_files(state["run_id"]))
    assert "clean" in operator.play("verify_cleanup").succeeded().output


def test_a_leader_that_crashes_takes_its_member_along(operator, config):
    """The member loses the connection, or on a network that goes silent the heartbeat; it ends itself and nothing else."""
    mine = config(training=LONG, run=RUN)
    operator.play("launch_training", training_launch_config_file=mine).succeeded()
    state = in_training(operator)
    machine = next(m for m in operator.aws.machines() if m["instance_id"] == state["instance_id"])
    os.kill(machine["machine_pid"], signal.SIGKILL)
    eventually(lambda: operator.live_instances() == [], "the end of both", 400)
    assert operator.state()["status"] == "running"
    fixed = operator.play("verify_cleanup", training_cleanup_check_fix=True).succeeded().output
    assert "are terminated" in fixed
    assert operator.state() is None
    assert operator.artifact(state["run_id"], "system-state.json")["status"] == "lost"
    schedules = operator.aws.client("scheduler").list_schedules(GroupName="chronos-training-local")["Schedules"]
    assert schedules == []


@pytest.mark.long
def test_what_fails_after_the_training_is_told_at_once(operator, config):
    """The member is gone or going then: torchrun must not wait for it, and its end must not be taken for the reason."""
    with agent_with_a_bug(operator):
        operator.play("launch_training", training_launch_config_file=config(run=RUN)).succeeded()
        run_id = operator.state()["run_id"]
        archived = ended(operator, run_id, "failed")
    assert archived["error_message"] == "Training failed: ZeroDivisionError: a bug"
    assert "resuming from checkpoint" not in operator.log(run_id, "training")


def test_a_kill_ends_both_and_keeps_what_was_learnt(operator, config):
    mine = config(training=LONG, run=RUN)
    operator.play("launch_training", training_launch_config_file=mine).succeeded()
    state = in_training(operator)
    operator.play("kill_training").succeeded()
    archived = ended(operator, state["run_id"], "killed")
    assert archived["kill_requested_at"] is not None
    assert any(name.endswith("complete.json") for name in operator.run_files(state["run_id"]))
    assert "clean" in operator.play("verify_cleanup").succeeded().output
