"""Kill: ask the run to sync and stop, wait a bounded time, then terminate and prove it (R3, C16).

What costs money ends first: EC2 accepts the termination, and bills nothing from then on. The guards go at that moment. The
lock goes when EC2 says `terminated`, which takes a GPU instance some minutes; interrupting the wait leaves a
lock that the next launch, kill or verify reconciles.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chronos_training.control.launch.owner import owner
from chronos_training.control.lifecycle.finalize import finalize
from chronos_training.control.lifecycle.reconcile import CONSISTENCY_SECONDS
from chronos_training.control.lifecycle.termination_schedules import cancel_schedules_of_ended
from chronos_training.control.lifecycle.waiting import ACCEPTED, Waiting
from chronos_training.core import aws, inventory
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.clock import duration
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import (
    GOING,
    TERMINATION_SECONDS,
    Instance,
    find_instances,
    terminate,
    wait_until_terminated,
)
from chronos_training.core.states import FINAL, KILLED
from chronos_training.core.store import Fenced, Observed, StateStore, open_store

Emit = Callable[[str], None]
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class KillRequest:
    """What to end. `grace_seconds` is how long the instance may take to store its partial results; `force` skips it.

    With `force` the instance is switched off without asking its operating system either.
    """

    env: str
    project: str
    region: str
    bucket: str
    grace_seconds: float
    force: bool


@dataclass(frozen=True)
class Killed:
    """What was ended. `run_id` is None when there was no run; `instances` are the ids that were terminated by this kill."""

    run_id: str | None
    status: str | None
    instances: list[str]


def targets(request: KillRequest) -> Killed:
    """Return what `kill` would end, without touching it."""
    observed = open_store(request.bucket, request.env, region=request.region).read()
    found = _alive(aws.client("ec2", region=request.region), request)
    run_id, status = (observed.record.run_id, observed.record.status) if observed else (None, None)
    return Killed(run_id, status, [i.instance_id for i in found])


def kill(request: KillRequest, emit: Emit, *, consistency_seconds: float = CONSISTENCY_SECONDS) -> Killed:
    """End the active run and every instance of the environment. Raises TrainingError when something still lives.

    `consistency_seconds` is how long EC2 may take to list an instance that it has started.
    """
    s3, ec2 = aws.client("s3", region=request.region), aws.client("ec2", region=request.region)
    store = open_store(request.bucket, request.env, region=request.region)
    observed = store.read()
    run_id = observed.record.run_id if observed else None
    if observed is not None and observed.record.status not in FINAL:
        # Recorded also with `force`: the instance may get to end the run itself, and then says that it was killed.
        asked = _ask(store, observed)
        if asked is not None and asked.record.claimed_at and not request.force:
            _wait(store, asked.record.run_id, request.grace_seconds, emit)
        elif asked is not None and not asked.record.claimed_at:
            # The age before the request: that rewrote the state.
            _wait_until_listed(ec2, request, store, asked, consistency_seconds - observed.age_seconds, emit)
    ended = _alive(ec2, request)
    if ended:
        emit(f"terminating {', '.join(i.instance_id for i in ended)}")
        terminate(ec2, ended, skip_os_shutdown=request.force)
    # All there are: a run may have released its lock and died before it came to its guard.
    cancel_schedules_of_ended(ec2, request.region, request.env, request.project, emit)
    if ended:
        wait_until_terminated(ec2, ended, request.project, request.env, show=Waiting(emit))
        emit("terminated, confirmed by EC2")
    # Also a run that was launched while this looked: its instance was among those that were ended.
    run_ids = {i.run_id for i in ended if i.run_id} | ({run_id} if run_id else set())
    status = _finalize(s3, ec2, request, store, run_ids, consistency_seconds, emit)
    _prove_nothing_left(ec2, request, emit)
    return Killed(run_id, status, [i.instance_id for i in ended])


def _alive(ec2: EC2Client, request: KillRequest) -> list[Instance]:
    """Return what is to be ended. What EC2 is already terminating only needs time, unless it takes too long."""
    return [i for i in find_instances(ec2, request.project, request.env) if i.state not in GOING or i.stuck]


def _ask(store: StateStore, observed: Observed) -> Observed | None:
    """Record the request to stop. None when the run ended on its own meanwhile."""
    try:
        return store.request_kill(observed, owner())
    except Fenced:
        return None


def _wait(store: StateStore, run_id: str, grace: float, emit: Emit) -> None:
    """Wait until the run has released its state or the grace time is over."""
    emit(f"asked run {run_id} to stop; it has {duration(grace)} to store its partial results")
    deadline = time.monotonic() + grace
    step = None
    while time.monotonic() < deadline:
        try:
            current = store.read()
        except TrainingError as error:
            emit(f"state not readable: {error.message}")
        else:
            if current is None or current.record.run_id != run_id:
                emit("the run stored its partial results and ended")
                return
            if current.record.current_step != step:
                step = current.record.current_step
                emit(f"run {run_id} is in {step}")
        time.sleep(POLL_SECONDS)
    emit(f"the run did not end within {duration(grace)}")


def _wait_until_listed(
    ec2: EC2Client, request: KillRequest, store: StateStore, asked: Observed, seconds: float, emit: Emit
) -> None:
    """Wait for what a launch may have asked for just now: until all of it is listed, or can no longer turn up.

    Releasing the lock before would leave an instance that nobody knows of (until its boot claim ends it).
    """
    run_id, wanted = asked.record.run_id, asked.record.instances_wanted
    deadline = time.monotonic() + seconds
    told = False
    while len(find_instances(ec2, request.project, request.env, run_id, live=False)) < wanted:
        if time.monotonic() > deadline:
            return
        if not told:
            emit(
                f"run {run_id} is being launched: waiting up to {duration(seconds)} for EC2 to list its instance, if any"
            )
            told = True
        time.sleep(POLL_SECONDS)
        current = store.read()
        if current is None or current.record.run_id != run_id:
            emit("the launch saw the request and cancelled itself")
            return


def _finalize(
    s3: S3Client,
    ec2: EC2Client,
    request: KillRequest,
    store: StateStore,
    run_ids: set[str],
    consistency_seconds: float,
    emit: Emit,
) -> str | None:
    """Archive and delete the state of one of `run_ids`, if the instance did not do it itself."""
    record = finalize(
        s3,
        request.bucket,
        store,
        ec2,
        request.project,
        run_ids,
        KILLED,
        f"Killed by {owner()}.",
        emit,
        consistency_seconds=consistency_seconds,
    )
    if record is None or record.status not in FINAL:
        return None  # the run, or another command, did it in the same instant
    emit(f"state of run {record.run_id} archived as {record.status}, lock released")
    return record.status


def _prove_nothing_left(ec2: EC2Client, request: KillRequest, emit: Emit) -> None:
    """Wait until EC2 lists no instance, volume or interface of the environment any more, but what it was ending before."""
    began, show = time.monotonic(), Waiting(emit)
    while True:
        found = inventory.list_resources(ec2, request.project, request.env, kinds=inventory.INSTANCE_KINDS)
        going = {r.resource_id: r for r in found if r.kind == "instance" and r.state in GOING}
        left = [r for r in found if r.resource_id not in going and (r.attached_to not in going or r.stays)]
        if not left:
            for identity, one in sorted(going.items()):
                emit(f"terminating: instance {identity} ({one.state}, run {one.run_id or 'none'}): {ACCEPTED}")
            return
        waited = time.monotonic() - began
        names = ", ".join(f"{r.kind} {r.resource_id} ({r.state})" for r in left)
        if waited > TERMINATION_SECONDS:
            raise TrainingError(
                f"Still present after {duration(waited)}: {names}.",
                hint=f"To see what it is and whether it may be removed: {playbook(request.env, 'verify_cleanup')}",
                code="not_terminated",
            )
        show(f"waiting for EC2 to remove {names}", waited)
        time.sleep(POLL_SECONDS)
