"""The lock status of an environment: who holds the lock, since when, what EC2 says, the one safe next command. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.control.lifecycle.break_stale_lock import death_of
from chronos_training.control.lifecycle.lock_status import UNSEEN, describe, instance_status, next_step
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.clock import duration, parse_iso, utc_now
from chronos_training.core.commands import playbook
from chronos_training.core.store import STALE_SECONDS, Observed


@dataclass(frozen=True)
class LockStatus:
    """A lock that is held. `reason` says why its run is dead, None when it may live; `instance` is EC2's word in a sentence."""

    run_id: str
    status: str
    owner: str
    since: str
    doing: str
    heartbeat_age_seconds: float
    stale: bool
    instance: str
    instance_state: str | None
    reason: str | None
    next_step: str

    def lines(self, url: str) -> list[str]:
        """Return it as lines for a person."""
        age = duration((utc_now() - parse_iso(self.since)).total_seconds())
        lives = f"which is dead: {self.reason}" if self.reason else "which may be at work"
        return [
            f"{url} is held by run {self.run_id} ({self.status}), {lives}",
            f"owner {self.owner}, since {self.since} ({age} ago)",
            self.doing,
            self.instance,
            self.next_step,
        ]


def lock_status(observed: Observed, ec2: EC2Client, project: str) -> LockStatus:
    """Return the status of the lock seen in `observed`. An EC2 that does not answer leaves the run's death unproven."""
    record = observed.record
    said, state = instance_status(observed, ec2, project)
    reason = None if state == UNSEEN else death_of(observed, ec2, project)
    release = f"Release it: {playbook(record.env, 'show_lock', training_lock_break=True)}"
    return LockStatus(
        run_id=record.run_id,
        status=record.status,
        owner=record.owner,
        since=record.created_at,
        doing=describe(observed),
        heartbeat_age_seconds=round(observed.age_seconds, 1),
        stale=observed.age_seconds > STALE_SECONDS,
        instance=said,
        instance_state=state,
        reason=reason,
        next_step=release if reason else next_step(observed, state),
    )
