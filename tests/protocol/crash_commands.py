"""The commands whose crashes are tested, each with the arguments a test can send as JSON. Nothing here decides anything:
the controller's commands are those behind the modules, the instance's are its programs with the machine around them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from chronos_training.agent import heartbeat, machine, pipeline, watcher, worker
from chronos_training.agent.ending import Outcome, end_run, load_run_spec, only_one
from chronos_training.agent.log_shipper import LogShipper
from chronos_training.agent.paths import Paths
from chronos_training.agent.reporter import Reporter
from chronos_training.control.launch import launch as launching
from chronos_training.control.lifecycle import kill as killing
from chronos_training.control.orphans import verify as verifying
from chronos_training.control.orphans.end_orphans import fix
from chronos_training.control.orphans.snapshot import Scope
from chronos_training.core import aws
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.states import STEPS
from chronos_training.core.store import Fenced, open_store

Say = Callable[[str], None]


def warm_up() -> None:
    """Let botocore read the descriptions that the commands need, once for all children."""
    for service in ("s3", "ec2", "ssm", "scheduler"):
        aws.client(service)


def launch(say: Say, *, order: dict[str, Any], tags: dict[str, str], user_data: str, window: float) -> dict[str, Any]:
    launch_spec = launching.LaunchSpec.from_params(order, tags, user_data)
    record = launching.launch(launch_spec, say, consistency_seconds=window)
    return {"run_id": record.run_id, "instance_id": record.instance_id}


def kill(say: Say, *, order: dict[str, Any], window: float) -> dict[str, Any]:
    ended = killing.kill(killing.KillRequest(**order), say, consistency_seconds=window)
    return {"run_id": ended.run_id, "status": ended.status, "instances": ended.instances}


def verify(say: Say, *, env: str, project: str, region: str, bucket: str) -> dict[str, Any]:
    """verify_cleanup with fix=true."""
    scope = Scope(env, project, region, (region,), bucket)
    verdict = verifying.verify(scope, 1, say)
    if verdict.clean:
        return {"clean": True, "ended": [], "active": verdict.active is not None}
    verdict, ended, _ = fix(verdict, 1, say)
    return {"clean": verdict.clean, "ended": ended, "active": verdict.active is not None}


def boot(say: Say) -> dict[str, Any]:
    """The start of the pipeline: the claim, and one heartbeat in the first step. A fenced machine ends, as in `main`.

    A member takes its first look at the state instead; one that is not named yet would wait now.
    """
    paths = Paths.here()
    run = paths.run()
    store = open_store(run.bucket, run.env, region=run.region)
    machine.booted_at(paths.state)
    (paths.state / "pipeline.pid").write_text(str(os.getpid()))
    instance_id = machine.wait_for_identity()
    if run.instances > 1 and machine.launch_index(paths.state):
        observed = store.read()
        ends = worker.reason_to_end(observed, run.run_id, instance_id)
        if ends is None:
            assert observed is not None
            return {"member": "joins" if observed.record.members else "waits to be named"}
        say(str(ends))
        machine.power_off()
        return {"claimed": False}
    try:
        observed = pipeline.claim(store, run, instance_id)
    except Fenced as error:
        say(str(error))
        machine.power_off()
        return {"claimed": False}
    reporter = Reporter(store, observed, 30.0, lambda: heartbeat.beat(paths.state))
    reporter.begin("initialization")
    return {"claimed": True}


def end(say: Say, *, status: str) -> None:
    """The last part of the pipeline, from the stored results to the end of the machine."""
    paths = Paths.here()
    pipeline.set_up_logging(paths.logs / "pipeline.log")
    (paths.state / "pipeline.pid").write_text(str(os.getpid()))
    run = paths.run()
    store = open_store(run.bucket, run.env, region=run.region)
    observed = store.read()
    assert observed is not None
    s3 = aws.client("s3", region=run.region)
    shipper = LogShipper(s3, run.bucket, run.logs_prefix, paths.logs, run.log_seconds)
    spec = load_run_spec(s3, run, paths.state / "run_spec.json")
    now = iso(utc_now())
    outcome = Outcome(status, None, {step: {"started_at": now, "ended_at": now} for step in STEPS}, None, spec)
    with only_one(paths) as allowed:
        assert allowed
        end_run(paths, run, store, observed, outcome, shipper.ship)
    (paths.state / "ended").touch()
    machine.power_off()


def watch(say: Say) -> None:
    """One look of the watcher's timer."""
    watcher.main()
