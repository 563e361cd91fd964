"""Launch: lock, intent, RunInstances, attach. It may die at any line; the next launch, kill or verify reconciles the
rest.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from chronos_training.ansible import changes
from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.launch.limits import GUARD_MINUTES
from chronos_training.control.launch.roll_back import roll_back
from chronos_training.control.launch.run_instances import run_instances, zones_of
from chronos_training.control.lifecycle.lock_status import refusal
from chronos_training.control.lifecycle.reconcile import (
    CONSISTENCY_SECONDS,
    Reconciled,
    ending_instances,
    proof_of_death,
    reconcile,
)
from chronos_training.control.lifecycle.waiting import Waiting
from chronos_training.control.registry import audit
from chronos_training.core import aws, termination_schedule
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.clock import iso, parse_iso, utc_now
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import GOING, TERMINATION_SECONDS, Instance, find_instances
from chronos_training.core.probe import check_conditions
from chronos_training.core.record import RunRecord
from chronos_training.core.states import STARTING
from chronos_training.core.store import Observed, RunActive, StateStore, open_store
from chronos_training.core.wire import STATE_CONFIG

__all__ = ["LaunchSpec", "launch", "preview"]

Emit = Callable[[str], None]
POLL_SECONDS = 2.0


def preview(spec: LaunchSpec) -> None:
    """Raise TrainingError when a launch would be refused now. Changes nothing, reconciles nothing."""
    store = open_store(spec.settings.bucket, spec.run.env, region=spec.settings.region)
    observed, ec2 = store.read(), aws.client("ec2", region=spec.settings.region)
    # A dead run is no refusal: the launch would reconcile it. Nor is one that EC2 is ending: the launch would wait for
    # that.
    if (
        observed is not None
        and proof_of_death(observed, ec2, spec.project) is None
        and ending_instances(observed, ec2, spec.project) is None
    ):
        raise TrainingError(refusal(observed, store.url, ec2, spec.project), code="lock_held")
    _refuse_strays(ec2, spec, None if observed is None else observed.record.run_id)


def launch(spec: LaunchSpec, emit: Emit, *, consistency_seconds: float = CONSISTENCY_SECONDS) -> RunRecord:
    """Start the run and return its record with its instances in it. Raises TrainingError; then nothing is left running.

    `consistency_seconds` is how long EC2 may take to list an instance that it has started.
    """
    s3, ec2 = aws.client("s3", region=spec.settings.region), aws.client("ec2", region=spec.settings.region)
    store = open_store(spec.settings.bucket, spec.run.env, region=spec.settings.region)
    reconciled = _free_the_lock(s3, ec2, store, spec, emit, consistency_seconds)
    if reconciled is not None:
        emit(reconciled.sentence)
        audit.record(
            audit.Log(spec.settings.bucket, spec.run.env, spec.settings.region, emit),
            audit.TAKEOVER,
            audit.Entry(reconciled.run_id, reconciled.sentence),
        )
    for instance in _refuse_strays(ec2, spec):
        emit(f"terminating: {_words(instance)}; this run starts alongside it")
    with changes.not_counted():
        check_conditions(
            aws.client("s3", region=spec.settings.region, config=STATE_CONFIG), spec.settings.bucket, spec.run.env
        )
    zones = zones_of(ec2, spec.settings.subnet_ids)
    try:
        observed = _acquire(store, spec)
    except RunActive as active:  # somebody was faster
        raise TrainingError(refusal(active.observed, store.url, ec2, spec.project), code="lock_held") from active
    emit(f"lock taken: {store.url}")
    try:
        with aws.explained(f"store the run spec in {spec.settings.bucket}"):
            s3.put_object(
                Bucket=spec.settings.bucket,
                Key=spec.run.key,
                Body=spec.run.body(),
                ContentType="application/json",
            )
        # RunInstances is repeated by us, with the same token; botocore would also repeat "no capacity" in a full zone.
        once = aws.client("ec2", region=spec.settings.region, config=aws.ONCE)
        observed = run_instances(once, store, observed, spec, zones, emit)
        _create_schedules(observed.record, spec, emit)
    except BaseException as error:
        # Also on Ctrl-C. If this is cut short too, the intent is in the state and the next command reconciles it.
        roll_back(s3, ec2, store, spec, error, emit, consistency_seconds=consistency_seconds)
        raise
    return observed.record


def _free_the_lock(
    s3: S3Client, ec2: EC2Client, store: StateStore, spec: LaunchSpec, emit: Emit, consistency_seconds: float
) -> Reconciled | None:
    """Return what was reconciled, None when the lock was free. TrainingError when a run holds it and may be at work.

    A run whose instances EC2 is ending may still write, and may still release its lock on its own. The launch waits for
    it.
    """
    began, show = time.monotonic(), Waiting(emit)
    while True:
        lock, reconciled = reconcile(
            s3, spec.settings.bucket, store, ec2, spec.project, consistency_seconds=consistency_seconds
        )
        if lock is None:
            return reconciled
        ending, waited = ending_instances(lock, ec2, spec.project), time.monotonic() - began
        if ending is None or waited > TERMINATION_SECONDS:
            raise TrainingError(refusal(lock, store.url, ec2, spec.project), code="lock_held")
        if ending:  # else the last of them ended between the two looks
            show(f"waiting for EC2 to end {', '.join(ending)} of run {lock.record.run_id}, to take its lock", waited)
            time.sleep(POLL_SECONDS)


def _refuse_strays(ec2: EC2Client, spec: LaunchSpec, reconciled: str | None = None) -> list[Instance]:
    """Return the instances that EC2 is ending: no reason to wait. They have no lock, and so can write nothing that counts.

    Raises TrainingError when others live without a run. Those of run `reconciled`, just reconciled, do not count: the
    launch ends them.
    """
    found = find_instances(ec2, spec.project, spec.run.env)
    strays = [i for i in found if i.state not in GOING and (reconciled is None or i.run_id != reconciled)]
    if strays:
        raise TrainingError(
            f"{spec.run.env} has instances without a run: {', '.join(map(_words, strays))}.",
            hint=f"Nothing was changed. Inspect them, then terminate them: {playbook(spec.run.env, 'kill_training')}",
            code="orphans_found",
        )
    return [i for i in found if i.state in GOING]


def _words(instance: Instance) -> str:
    return f"{instance.instance_id} ({instance.state}, run {instance.run_id or 'none'})"


def _acquire(store: StateStore, spec: LaunchSpec) -> Observed:
    now = utc_now()
    deadline = now.timestamp() + spec.run.limits.deadline_seconds + GUARD_MINUTES * 60
    record = RunRecord(
        env=spec.run.env,
        run_id=spec.run.run_id,
        owner=spec.run.launched_by,
        status=STARTING,
        created_at=iso(now),
        heartbeat_at=iso(now),
        deadline_at=iso(now.fromtimestamp(deadline, now.tzinfo)),
        client_token=uuid.uuid4().hex,
        training_config=spec.run.training,
    )
    return store.acquire(record)


def _create_schedules(record: RunRecord, spec: LaunchSpec, emit: Emit) -> None:
    """Have AWS itself end the instances at the deadline, whatever becomes of them and of this machine."""
    assert record.instance_id is not None
    fires_at = parse_iso(record.deadline_at)
    scheduler = aws.client("scheduler", region=spec.settings.region)
    for number, instance_id in enumerate(record.instances):
        termination_schedule.create(
            scheduler,
            spec.run.env,
            spec.run.run_id,
            instance_id,
            fires_at,
            role_arn=spec.settings.guard_role_arn,
            queue_arn=spec.settings.guard_queue_arn,
            number=number,
        )
    emit(f"termination schedule created: terminates {', '.join(record.instances)} at {fires_at:%Y-%m-%d %H:%M:%S} UTC")
