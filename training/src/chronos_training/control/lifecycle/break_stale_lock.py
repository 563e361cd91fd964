"""Takes the lock from a run that is provably dead: ends what is left of it by tag, archives it, releases its lock."""

from __future__ import annotations

from collections.abc import Callable

from chronos_training.control.lifecycle.lock_status import refusal
from chronos_training.control.lifecycle.reconcile import CONSISTENCY_SECONDS, close, proof_of_death
from chronos_training.control.lifecycle.termination_schedules import cancel_schedules_of_ended
from chronos_training.control.lifecycle.waiting import Waiting
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.clock import duration
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances, terminate, wait_until_terminated
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FINAL, LOST
from chronos_training.core.store import Observed, RunActive, StateStore

Emit = Callable[[str], None]


def death_of(observed: Observed, ec2: EC2Client, project: str) -> str | None:
    """Return why nobody works for this run any more, or None when somebody may.

    Wider than `proof_of_death` by what may be ended without asking: an instance that the state does not name while the
    one it names is terminated (the boot claim refuses it), the workers of a head node that is terminated (they end by
    themselves, later), and the machine of a run that ended but never let go.
    """
    proof = proof_of_death(observed, ec2, project)
    if proof is not None:
        return proof
    record = observed.record
    states = {i.instance_id: i.state for i in find_instances(ec2, project, record.env, record.run_id, live=False)}
    if record.instance_id is not None and states.get(record.instance_id) == "terminated":
        alive = sorted(i for i, state in states.items() if state != "terminated")
        strangers = [i for i in alive if i not in record.members]
        if strangers:
            return (
                f"its instance {record.instance_id} is terminated, and {', '.join(strangers)} was never assigned the "
                "run"
            )
        if alive:
            return f"its head node {record.instance_id} is terminated, and {', '.join(alive)} can do nothing without it"
    if record.status in FINAL and observed.age_seconds > CONSISTENCY_SECONDS:
        return f"it ended as {record.status} {duration(observed.age_seconds)} ago and never released its lock"
    return None


def find_stale_lock(
    store: StateStore, ec2: EC2Client, project: str, run_id: str | None = None
) -> tuple[Observed, str] | None:
    """Return the lock of a dead run and why that is dead; None when the lock is free.

    Raises TrainingError with the whole story when its run may live, or when it is not the run `run_id` that was meant.
    """
    observed = store.read()
    if observed is None:
        return None
    if run_id is not None and observed.record.run_id != run_id:
        raise TrainingError(
            f"{store.url} is held by run {observed.record.run_id}, not by run {run_id}. Nothing was changed.",
            code="lock_held",
        )
    reason = death_of(observed, ec2, project)
    if reason is None:
        raise TrainingError(refusal(observed, store.url, ec2, project), code="lock_held")
    return observed, reason


def break_stale_lock(
    s3: S3Client,
    bucket: str,
    store: StateStore,
    ec2: EC2Client,
    project: str,
    observed: Observed,
    reason: str,
    emit: Emit,
) -> RunRecord:
    """End the dead run seen in `observed` and release its lock; return its record.

    The order is the protocol's: terminated and confirmed, then archived, then the very version seen is deleted.
    """
    record = observed.record
    left = find_instances(ec2, project, record.env, record.run_id)
    if left:
        emit(f"terminating {', '.join(i.instance_id for i in left)}")
        terminate(ec2, left)
        cancel_schedules_of_ended(ec2, s3.meta.region_name, record.env, project, emit)
        wait_until_terminated(ec2, left, project, record.env, show=Waiting(emit))
    try:
        # The proof is about the version seen: an instance that claimed the run since is no part of it.
        final = close(s3, bucket, store, observed, LOST, f"The run was lost: {reason}.")
    except RunActive as active:
        raise TrainingError(refusal(active.observed, store.url, ec2, project), code="lock_held") from active
    ended = f"archived as {final.status}" if final.status in FINAL else "archived by another command"
    emit(f"run {record.run_id} {ended}; lock {store.url} released")
    return final
