"""Whose is it? Sorts what exists into what an active run uses, what EC2 is ending, and what is left over. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chronos_training.control.orphans.snapshot import LOCK, SCHEDULE, UPLOAD, Sight
from chronos_training.core.clock import duration
from chronos_training.core.instances import TERMINATION_SECONDS
from chronos_training.core.inventory import Resource
from chronos_training.core.states import FINAL

# After its last write to S3 a run deletes its termination schedule and powers its machine off. What the machine held
# goes with it.
SETTLING_SECONDS = 90.0
_ON_THE_WAY_OUT = {"terminating", "deleting", "detaching", "stopping"}
_GOES_WITH_ITS_RUN = {"instance", "volume", "network interface", "Spot request", SCHEDULE}


@dataclass(frozen=True)
class Finding:
    """One thing and its judgement. `owner` is the active run that uses it, empty for what is left over.

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


def judge(sight: Sight) -> list[Finding]:
    """Return a judgement for everything in sight, what is left over first."""
    lock = _lock(sight)
    holder = sight.observed.record if sight.observed is not None else None
    alive = holder is not None and sight.death is None
    findings = [] if lock is None else [lock]
    for resource in sight.resources:
        mine = holder is not None and resource.run_id == holder.run_id
        if mine and alive and lock is None:
            findings.append(Finding(resource, owner=resource.run_id))
        elif resource.kind == "instance" and resource.state == "shutting-down":
            findings.append(_ending(resource, sight))
        elif mine and alive and lock is not None:
            findings.append(Finding(resource, passing=True, blocked=lock.blocked))
        elif resource.kind == UPLOAD and holder is not None and alive and not resource.run_id:
            # Begun by a person, not by a run: of interest only if it is older than the active run.
            if resource.state < holder.created_at:
                findings.append(Finding(resource))
        else:
            findings.append(_leftover(resource, sight, holder.run_id if holder is not None and alive else ""))
    judged = _with_attachments(findings, sight.terminated)
    return sorted(judged, key=lambda f: (bool(f.owner), f.resource.region, f.resource.run_id))


def _lock(sight: Sight) -> Finding | None:
    """Return the judgement of the lock, None when there is none or its run may be at work."""
    if sight.observed is None:
        return None
    record, age = sight.observed.record, sight.observed.age_seconds
    if sight.death is not None:
        return Finding(Resource(LOCK, sight.lock_url, record.status, record.run_id, f"its run is dead: {sight.death}"))
    if record.status in FINAL:
        detail = f"its run ended as {record.status} {duration(age)} ago without releasing it"
        resource = Resource(LOCK, sight.lock_url, record.status, record.run_id, detail)
        return Finding(resource, passing=True, blocked="its instance still exists and may be about to release it")
    states = {r.resource_id: r.state for r in sight.resources if r.kind == "instance" and r.run_id == record.run_id}
    known = set(states) | sight.terminated
    if states and set(record.instances) <= known and all(state == "shutting-down" for state in states.values()):
        detail = f"EC2 is ending {', '.join(sorted(states))}"
        resource = Resource(LOCK, sight.lock_url, record.status, record.run_id, detail)
        return Finding(
            resource, passing=True, blocked="its run is proved dead only when EC2 reports the instance as terminated"
        )
    return None


def _ending(resource: Resource, sight: Sight) -> Finding:
    """Return the judgement of an instance that EC2 is ending: going, or left over when that takes too long."""
    since = sight.going.get(resource.resource_id)
    if since is None:  # EC2 gives no time where a machine powered itself off; that was after its run's last word
        since = sight.ended.get(resource.run_id)
    if since is None or since <= TERMINATION_SECONDS:
        return Finding(resource, going=True)
    return Finding(replace(resource, state=f"{resource.state} for {duration(since)}"))


def _leftover(resource: Resource, sight: Sight, active: str) -> Finding:
    # A machine may hang on its way to the power-off, and is ended by its own guards then.
    patience = TERMINATION_SECONDS if resource.kind == "instance" else SETTLING_SECONDS
    just_ended = sight.ended.get(resource.run_id, patience) < patience
    passing = resource.state in _ON_THE_WAY_OUT or (just_ended and resource.kind in _GOES_WITH_ITS_RUN)
    blocked = ""
    if active and not resource.run_id:
        blocked = f"it has no RunId tag, and run {active} may be using it; repeat this when that run has ended"
    return Finding(resource, passing=passing, blocked=blocked)


def _with_attachments(findings: list[Finding], terminated: frozenset[str]) -> list[Finding]:
    """Let what is attached to an instance of ours share its fate; what is attached to anything else is not touched."""
    instances = {f.resource.resource_id: f for f in findings if f.resource.kind == "instance"}
    judged = []
    for finding in findings:
        holder = finding.resource.attached_to
        if not holder or finding.owner:
            judged.append(finding)
        elif holder in terminated:  # EC2 lets go of it in a moment, and deletes what was made with the instance
            judged.append(replace(finding, passing=True))
        elif holder in instances:
            fate = instances[holder]
            if fate.going:  # what stays can be ended when its instance is gone
                judged.append(
                    Finding(finding.resource, going=not finding.resource.stays, passing=finding.resource.stays)
                )
                continue
            owner = fate.owner if not finding.resource.run_id else ""
            blocked = (
                finding.blocked or (fate.owner and f"it is attached to {holder} of the active run") or fate.blocked
            )
            judged.append(Finding(finding.resource, owner, finding.passing or fate.passing, "" if owner else blocked))
        else:
            blocked = finding.blocked or f"it is attached to {holder}, which we cannot prove to be ours"
            judged.append(Finding(finding.resource, "", finding.passing, blocked))
    return judged
