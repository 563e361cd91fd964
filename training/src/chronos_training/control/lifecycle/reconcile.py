"""Ends what a dead run left behind: a lock is broken on proof of death, never on age alone (design: takeover)."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.control.lifecycle.termination_schedules import cancel_schedules
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.clock import duration, iso, utc_now
from chronos_training.core.instances import GOING, find_instances
from chronos_training.core.objects import read_bytes
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, FINAL, LOST
from chronos_training.core.store import Fenced, Observed, RunActive, StateStore

# EC2 lists a new instance by tag within seconds, at the worst some minutes; until then "none is listed" proves nothing.
CONSISTENCY_SECONDS = 300.0


@dataclass(frozen=True)
class Reconciled:
    """A dead run whose lock was released, and the sentence that says why and how it ended."""

    run_id: str
    sentence: str


def proof_of_death(
    observed: Observed, ec2: EC2Client, project: str, *, consistency_seconds: float = CONSISTENCY_SECONDS
) -> str | None:
    """Return the sentence that proves that nothing works for this run any more, or None when it may be alive."""
    record = observed.record
    known = find_instances(ec2, project, record.env, record.run_id, live=False)
    if any(instance.state != "terminated" for instance in known):
        return None
    if record.instances and {i.instance_id for i in known} >= set(record.instances):
        if record.members:
            return f"its instances {', '.join(record.instances)} are terminated"
        return f"its instance {record.instance_id} is terminated"
    if observed.age_seconds > consistency_seconds:
        return f"EC2 lists no instance of it, and it sent no heartbeat for {duration(observed.age_seconds)}"
    return None


def ending_instances(observed: Observed, ec2: EC2Client, project: str) -> list[str] | None:
    """Return the instances of a run that EC2 is still ending, when it has no other any more: the proof of its death is near.

    None when one may still be at work, or may not be listed yet.
    """
    record = observed.record
    states = {i.instance_id: i.state for i in find_instances(ec2, project, record.env, record.run_id, live=False)}
    named = set(record.instances)
    if not named or not named <= set(states) or any(state not in GOING for state in states.values()):
        return None
    return sorted(identity for identity, state in states.items() if state != "terminated")


def archive(s3: S3Client, bucket: str, record: RunRecord) -> None:
    """Copy the record into the run's prefix (C7): the state file itself is about to go."""
    key = layout.run_prefix(record.env, record.run_id) + "system-state.json"
    with aws.explained(f"archive the state to s3://{bucket}/{key}"):
        s3.put_object(Bucket=bucket, Key=key, Body=record.to_json(), ContentType="application/json")


def close(
    s3: S3Client,
    bucket: str,
    store: StateStore,
    observed: Observed,
    status: str,
    reason: str,
    error_code: str | None = None,
) -> RunRecord:
    """Give the run its final status, archive it, release its lock. Returns the final record.

    A run that already has a final status keeps it: only its archive and its release are missing. So does one that had
    stored `_SUCCESS`, its last act before the final status: every result was read back, so it did complete. Another
    command may be closing the same run at the same time; whoever is later finds nothing left to do, and returns the
    record as it saw it. The proof of death is about the version seen: RunActive when an instance has claimed the run
    since (found by tests/protocol).
    """
    final = observed
    if observed.record.status not in FINAL:
        if observed.record.claimed_at is not None and succeeded(s3, bucket, observed.record):
            # `finish` still makes it `killed` when somebody had asked it to stop.
            status, reason = COMPLETED, ""
        try:
            final = store.finish(observed, status, reason or None, error_code=error_code, only_this_version=True)
        except Fenced:
            current = store.read()
            if current is None or current.record.run_id != observed.record.run_id:
                return observed.record
            final = current
    # After the final status, which proves that nobody has claimed the run since: a living instance keeps its guard.
    # Before the release: a crash in between is made good by whoever comes next.
    scheduled = (observed.record.run_id, observed.record.instances_wanted)
    cancel_schedules(s3.meta.region_name, observed.record.env, [scheduled])
    archive(s3, bucket, final.record)
    try:
        store.remove(final)
    except RunActive as active:
        if active.observed.record.run_id == observed.record.run_id:
            raise
    return final.record


def succeeded(s3: S3Client, bucket: str, record: RunRecord) -> bool:
    """Return whether the run has stored its `_SUCCESS`."""
    return read_bytes(s3, bucket, layout.run_prefix(record.env, record.run_id) + "_SUCCESS") is not None


def reconcile(
    s3: S3Client,
    bucket: str,
    store: StateStore,
    ec2: EC2Client,
    project: str,
    *,
    consistency_seconds: float = CONSISTENCY_SECONDS,
) -> tuple[Observed | None, Reconciled | None]:
    """Look at the lock. Returns (the lock, None) when a run may be alive, else (None, what was reconciled, if
    anything).
    """
    observed = store.read()
    if observed is None:
        return None, None
    proof = proof_of_death(observed, ec2, project, consistency_seconds=consistency_seconds)
    if proof is None:
        return observed, None
    run_id = observed.record.run_id
    reason = f"The run was lost: {proof} ({iso(utc_now())})."
    try:
        record = close(s3, bucket, store, observed, LOST, reason)
    except RunActive as active:  # an instance claimed it, or somebody wrote it, in the same instant
        return active.observed, None
    ended = f"was archived as {record.status}" if record.status in FINAL else "was archived by another command"
    return None, Reconciled(run_id, f"Run {run_id} was dead ({proof}); its state {ended} and its lock released.")
