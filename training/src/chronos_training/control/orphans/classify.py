"""Whose is it? Sorts what exists into what an active run uses, what EC2 is ending, and what is left over. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chronos_training.control.orphans import stack
from chronos_training.control.orphans.snapshot import LOCK, SCHEDULE, UPLOAD, Snapshot
from chronos_training.core.clock import duration
from chronos_training.core.instances import TERMINATION_SECONDS
from chronos_training.core.inventory import Resource
from chronos_training.core.states import FINAL

# After its last write to S3 a run deletes its termination schedule and powers its machine off. What the machine held
# goes with it.
SETTLING_SECONDS = 90.0
_ON_THE_WAY_OUT = {"terminating", "deleting", "detaching", "stopping", "deactivating", "deprovisioning"}
_GOES_WITH_ITS_RUN = {"instance", "volume", "network interface", "Spot request", SCHEDULE}


@dataclass(frozen=True)
class OrphanReport:
    """One thing and what it was classified as. `owner` is the active run that uses it, empty for what is left over.

    `going`: EC2 has accepted its end, nothing takes that back, and it bills no instance from then on: nothing is left over.
    `passing`: about to disappear, worth waiting for. `blocked`: why it must not be ended from here, empty if it may.
    """

    resource: Resource
    owner: str = ""
    passing: bool = False
    blocked: str = ""
    going: bool = False

    @property
    def name(self) -> str:
        """Return what it is, for a sentence."""
        what = self.resource
        if what.kind == LOCK:
            return f"lock {what.resource_id} of run {what.run_id}: {what.detail}"
        whose = f", run {what.run_id}" if what.run_id else ""
        return f"{what.kind} {what.resource_id} ({what.state}{whose})"


def classify(snapshot: Snapshot) -> list[OrphanReport]:
    """Return a report for everything in the snapshot, what is left over first."""
    lock = _lock(snapshot)
    record = snapshot.observed.record if snapshot.observed is not None else None
    alive = record is not None and snapshot.death is None
    reports = [] if lock is None else [lock]
    for resource in snapshot.resources:
        mine = record is not None and resource.run_id == record.run_id
        if resource.kind in stack.KINDS.values():
            reports.append(_of_the_stack(resource))
        elif mine and alive and lock is None:
            reports.append(OrphanReport(resource, owner=resource.run_id))
        elif resource.kind == "instance" and resource.state == "shutting-down":
            reports.append(_ending(resource, snapshot))
        elif mine and alive and lock is not None:
            reports.append(OrphanReport(resource, passing=True, blocked=lock.blocked))
        elif resource.kind == UPLOAD and record is not None and alive and not resource.run_id:
            # Begun by a person, not by a run: of interest only if it is older than the active run.
            if resource.state < record.created_at:
                reports.append(OrphanReport(resource))
        else:
            reports.append(_leftover(resource, snapshot, record.run_id if record is not None and alive else ""))
    classified = _with_attachments(reports, snapshot.terminated)
    return sorted(classified, key=lambda f: (bool(f.owner), f.resource.region, f.resource.run_id))


def _lock(snapshot: Snapshot) -> OrphanReport | None:
    """Return the report of the lock, None when there is none or its run may be at work."""
    if snapshot.observed is None:
        return None
    record, age = snapshot.observed.record, snapshot.observed.age_seconds
    if snapshot.death is not None:
        return OrphanReport(
            Resource(LOCK, snapshot.lock_url, record.status, record.run_id, f"its run is dead: {snapshot.death}")
        )
    if record.status in FINAL:
        detail = f"its run ended as {record.status} {duration(age)} ago without releasing it"
        resource = Resource(LOCK, snapshot.lock_url, record.status, record.run_id, detail)
        return OrphanReport(resource, passing=True, blocked="its instance still exists and may be about to release it")
    states = {r.resource_id: r.state for r in snapshot.resources if r.kind == "instance" and r.run_id == record.run_id}
    known = set(states) | snapshot.terminated
    if states and set(record.instances) <= known and all(state == "shutting-down" for state in states.values()):
        detail = f"EC2 is ending {', '.join(sorted(states))}"
        resource = Resource(LOCK, snapshot.lock_url, record.status, record.run_id, detail)
        return OrphanReport(
            resource, passing=True, blocked="its run is proved dead only when EC2 reports the instance as terminated"
        )
    return None


def _ending(resource: Resource, snapshot: Snapshot) -> OrphanReport:
    """Return the report of an instance that EC2 is ending: going, or left over when that takes too long."""
    since = snapshot.going.get(resource.resource_id)
    if since is None:  # EC2 gives no time where a machine powered itself off; that was after its run's last word
        since = snapshot.ended.get(resource.run_id)
    if since is None or since <= TERMINATION_SECONDS:
        return OrphanReport(resource, going=True)
    return OrphanReport(replace(resource, state=f"{resource.state} for {duration(since)}"))


def _of_the_stack(resource: Resource) -> OrphanReport:
    blocked = "" if resource.kind == stack.KINDS[stack.TASK] else "tear the volatility stack down once more"
    return OrphanReport(resource, passing=resource.state in _ON_THE_WAY_OUT, blocked=blocked)


def _leftover(resource: Resource, snapshot: Snapshot, active: str) -> OrphanReport:
    # A machine may hang on its way to the power-off, and is ended by its own guards then.
    patience = TERMINATION_SECONDS if resource.kind == "instance" else SETTLING_SECONDS
    just_ended = snapshot.ended.get(resource.run_id, patience) < patience
    passing = resource.state in _ON_THE_WAY_OUT or (just_ended and resource.kind in _GOES_WITH_ITS_RUN)
    blocked = ""
    if active and not resource.run_id:
        blocked = f"it has no RunId tag, and run {active} may be using it; repeat this when that run has ended"
    return OrphanReport(resource, passing=passing, blocked=blocked)


def _with_attachments(reports: list[OrphanReport], terminated: frozenset[str]) -> list[OrphanReport]:
    """Let what is attached to an instance of ours share its fate; what is attached to anything else is not touched."""
    instances = {f.resource.resource_id: f for f in reports if f.resource.kind == "instance"}
    classified = []
    for report in reports:
        attached_to = report.resource.attached_to
        if not attached_to or report.owner:
            classified.append(report)
        elif attached_to in terminated:  # EC2 lets go of it in a moment, and deletes what was made with the instance
            classified.append(replace(report, passing=True))
        elif attached_to in instances:
            fate = instances[attached_to]
            if fate.going:  # what stays can be ended when its instance is gone
                classified.append(
                    OrphanReport(report.resource, going=not report.resource.stays, passing=report.resource.stays)
                )
                continue
            owner = fate.owner if not report.resource.run_id else ""
            blocked = (
                report.blocked or (fate.owner and f"it is attached to {attached_to} of the active run") or fate.blocked
            )
            classified.append(
                OrphanReport(report.resource, owner, report.passing or fate.passing, "" if owner else blocked)
            )
        else:
            blocked = report.blocked or f"it is attached to {attached_to}, which we cannot prove to be ours"
            classified.append(OrphanReport(report.resource, "", report.passing, blocked))
    return classified
