"""Ends what is provably ours and dead, one thing at a time, and says so; what cannot be ended is told with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.control.lifecycle.break_stale_lock import break_stale_lock, find_stale_lock
from chronos_training.control.lifecycle.termination_schedules import cancel_schedules_of_ended
from chronos_training.control.lifecycle.waiting import Waiting
from chronos_training.control.orphans import stack
from chronos_training.control.orphans.classify import OrphanReport
from chronos_training.control.orphans.snapshot import LOCK, Scope
from chronos_training.control.orphans.verify import Emit, Verdict, short, verify
from chronos_training.core import aws, termination_schedule
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances, terminate, wait_until_terminated
from chronos_training.core.inventory import Resource
from chronos_training.core.store import open_store

# A Spot request first, or it would start its instance again; the lock last, so that nobody launches into the sweep.
_ORDER = (stack.KINDS[stack.TASK], "Spot request", "instance", "schedule", "multipart upload", "snapshot", "volume", "network interface",
          "address", LOCK)  # fmt: skip
# The first round ends the instances, the second what they held and did not take along, the third is for the slow.
ROUNDS = 3


def endable(verdict: Verdict) -> list[OrphanReport]:
    """Return what may be ended now, in the order in which to do it: of no living run, and held by nothing."""
    free = [f for f in verdict.orphans if not f.blocked]
    return sorted(free, key=lambda f: _ORDER.index(f.resource.kind))


def fix(verdict: Verdict, wait_seconds: float, emit: Emit) -> tuple[Verdict, list[str], dict[str, str]]:
    """End what `verdict` shows as endable. Returns (the verdict afterwards, what was ended, why not by name)."""
    ended: list[str] = []
    failed: dict[str, str] = {}
    for _ in range(ROUNDS):
        ending = {f.resource.resource_id for f in endable(verdict) if f.resource.kind == "instance"}
        # What hangs on an instance that ends now usually goes with it; the next round sees what did not.
        due = [f for f in endable(verdict) if f.resource.attached_to not in ending and short(f) not in failed]
        if not due:
            break
        for report in due:
            try:
                gone = _end(verdict.scope, report.resource, emit)
            except TrainingError as error:
                failed[short(report)] = str(error)
                emit(f"could not end {short(report)}: {error}")
            else:
                ended.append(short(report))
                emit(f"ended {short(report)}" if gone else f"{short(report)} was already gone")
        verdict = verify(verdict.scope, wait_seconds, emit)
    left = {short(f): f for f in verdict.orphans}
    reasons = {name: failed.get(name) or report.blocked or "it still exists" for name, report in left.items()}
    return verdict, [name for name in ended if name not in left], reasons


def _end(scope: Scope, resource: Resource, emit: Emit) -> bool:
    """End one thing. False when it was gone already. TrainingError when AWS does not do it."""
    if resource.kind == LOCK:
        return _break_stale_lock(scope, emit)
    if resource.kind == "instance":
        _end_instance(scope, resource, emit)
        return True
    with aws.explained(f"end {resource.kind} {resource.resource_id}"):
        try:
            if resource.kind in _OF_EC2:
                _OF_EC2[resource.kind](aws.client("ec2", region=resource.region), resource.resource_id)
            else:
                _OF_THE_SCOPE[resource.kind](scope, resource)
        except ClientError as error:
            if _says_gone(aws.error_code(error)):
                return False
            raise
    return True


def _says_gone(code: str) -> bool:
    return code.endswith((".NotFound", "NotFoundException")) or code == "NoSuchUpload"


def _break_stale_lock(scope: Scope, emit: Emit) -> bool:
    s3, ec2 = aws.client("s3", region=scope.region), aws.client("ec2", region=scope.region)
    store = open_store(scope.bucket, scope.env, region=scope.region)
    # Checked again: since the verdict another command may have released it, and another run may hold it.
    found = find_stale_lock(store, ec2, scope.project)
    if found is None:
        return False
    break_stale_lock(s3, scope.bucket, store, ec2, scope.project, *found, emit)
    return True


def _end_instance(scope: Scope, resource: Resource, emit: Emit) -> None:
    ec2 = aws.client("ec2", region=resource.region)
    # By tag once more, not by the remembered id: what lost its tags meanwhile is not ours to end.
    ours = [i for i in find_instances(ec2, scope.project, scope.env) if i.instance_id == resource.resource_id]
    terminate(ec2, ours)
    cancel_schedules_of_ended(ec2, resource.region, scope.env, scope.project, emit)
    wait_until_terminated(ec2, ours, scope.project, scope.env, show=Waiting(emit))


def _schedule(scope: Scope, resource: Resource) -> None:
    scheduler = aws.client("scheduler", region=resource.region)
    scheduler.delete_schedule(Name=resource.resource_id, GroupName=termination_schedule.group_name(scope.env))


def _upload(scope: Scope, resource: Resource) -> None:
    key = resource.detail.removeprefix(f"s3://{scope.bucket}/")
    s3 = aws.client("s3", region=scope.region)
    s3.abort_multipart_upload(Bucket=scope.bucket, Key=key, UploadId=resource.resource_id)


def _task(_: Scope, resource: Resource) -> None:
    ecs = aws.client("ecs", region=resource.region)
    ecs.stop_task(
        cluster=resource.resource_id.split("/")[-2],
        task=resource.resource_id,
        reason="Verify found no execution of its.",
    )


_OF_THE_SCOPE: dict[str, Callable[[Scope, Resource], None]] = {
    "schedule": _schedule,
    stack.KINDS[stack.TASK]: _task,
    "multipart upload": _upload,
}
_OF_EC2: dict[str, Callable[[Any, str], Any]] = {
    "Spot request": lambda ec2, identity: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[identity]),
    "snapshot": lambda ec2, identity: ec2.delete_snapshot(SnapshotId=identity),
    "volume": lambda ec2, identity: ec2.delete_volume(VolumeId=identity),
    "network interface": lambda ec2, identity: ec2.delete_network_interface(NetworkInterfaceId=identity),
    "address": lambda ec2, identity: ec2.release_address(AllocationId=identity),
}
