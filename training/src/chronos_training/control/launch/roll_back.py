"""The end of a launch that failed or was interrupted: what it started is terminated, then its lock is given back."""

from __future__ import annotations

from collections.abc import Callable

from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.launch.run_instances import Unanswered
from chronos_training.control.lifecycle.finalize import finalize
from chronos_training.control.lifecycle.reconcile import CONSISTENCY_SECONDS
from chronos_training.control.lifecycle.termination_schedules import cancel_schedules
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances, terminate
from chronos_training.core.states import FAILED, FINAL, KILLED
from chronos_training.core.store import Observed, StateStore

Emit = Callable[[str], None]


def roll_back(
    s3: S3Client,
    ec2: EC2Client,
    store: StateStore,
    spec: LaunchSpec,
    error: BaseException,
    emit: Emit,
    *,
    consistency_seconds: float = CONSISTENCY_SECONDS,
) -> None:
    """End whatever this launch may have started, then give the lock back.

    The lock stays when nobody knows what was started: released, it would leave an instance that nobody looks for.
    """
    instances = find_instances(ec2, spec.project, spec.run.env, spec.run.run_id, live=False)
    current = store.read()
    ours = current if current is not None and current.record.run_id == spec.run.run_id else None
    if ours is not None and len(instances) < spec.run.instance.count and _may_have_started(ours, error):
        _leave_to_the_next_command(store, ours, spec, emit)
        return
    alive = [instance for instance in instances if instance.state != "terminated"]
    terminate(ec2, alive)
    # Its end is accepted; that it is over, the release of the lock waits for.
    cancel_schedules(spec.settings.region, spec.run.env, [(spec.run.run_id, spec.run.instance.count)], emit)
    killed = ours is not None and ours.record.kill_requested_at is not None
    finalize(
        s3,
        spec.settings.bucket,
        store,
        ec2,
        spec.project,
        {spec.run.run_id},
        KILLED if killed else FAILED,
        f"The launch failed: {str(error) or type(error).__name__}",
        emit,
        consistency_seconds=consistency_seconds,
        error_code=_code_of(error),
    )


def _code_of(error: BaseException) -> str:
    if isinstance(error, TrainingError):
        return error.code
    return "run_stopped" if isinstance(error, KeyboardInterrupt) else "internal_error"


def _may_have_started(ours: Observed, error: BaseException) -> bool:
    """Return whether RunInstances was under way when `error` came. A TrainingError says what EC2 had answered."""
    asked = ours.record.instance_type is not None and ours.record.instance_id is None
    unknown = isinstance(error, Unanswered) or not isinstance(error, TrainingError)
    return asked and unknown and ours.record.status not in FINAL


def _leave_to_the_next_command(store: StateStore, ours: Observed, spec: LaunchSpec, emit: Emit) -> None:
    # An instance that does turn up finds this request at its claim, and ends the run itself.
    store.request_kill(ours, spec.run.launched_by)
    what, none = (
        ("an instance", "none") if spec.run.instance.count == 1 else (f"{spec.run.instance.count} instances", "not all")
    )
    emit(
        f"interrupted while requesting {what}, and EC2 lists {none} yet, so the lock {store.url} is kept. "
        f"To wait until it is certain and end whatever was started: {playbook(spec.run.env, 'kill_training')}"
    )
