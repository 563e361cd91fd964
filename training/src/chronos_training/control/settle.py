"""Ends what a dead run left behind: a lock is broken on proof of death, never on age alone (design: takeover)."""

from __future__ import annotations

from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.clock import duration, iso, utc_now
from chronos_training.core.instances import find_instances
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FINAL, LOST
from chronos_training.core.store import Observed, StateStore

# EC2 lists a new instance by tag within seconds, at the worst some minutes; until then "none is listed" proves nothing.
CONSISTENCY_SECONDS = 300.0


def proof_of_death(observed: Observed, ec2: Any, project: str) -> str | None:
    """Return the sentence that proves that nothing works for this run any more, or None when it may be alive."""
    record = observed.record
    known = find_instances(ec2, project, record.env, record.run_id, live=False)
    if any(instance.state != "terminated" for instance in known):
        return None
    named = [i for i in known if i.instance_id == record.instance_id]
    if named:
        return f"its instance {record.instance_id} is terminated"
    if observed.age_seconds > CONSISTENCY_SECONDS:
        return f"EC2 lists no instance of it, and it gave no sign of life for {duration(observed.age_seconds)}"
    return None


def archive(s3: Any, bucket: str, record: RunRecord) -> None:
    """Copy the record into the run's prefix (C7): the state file itself is about to go."""
    key = layout.run_prefix(record.env, record.run_id) + "system-state.json"
    with aws.explained(f"archive the state to s3://{bucket}/{key}"):
        s3.put_object(Bucket=bucket, Key=key, Body=record.to_json(), ContentType="application/json")


def close(s3: Any, bucket: str, store: StateStore, observed: Observed, status: str, reason: str) -> RunRecord:
    """Give the run its final status, archive it, release its lock. Returns the final record.

    A run that already has a final status keeps it: only its archive and its release are missing.
    """
    final = observed
    if observed.record.status not in FINAL:
        final = store.finish(observed, status, reason)
    archive(s3, bucket, final.record)
    store.remove(final)
    return final.record


def settle(s3: Any, bucket: str, store: StateStore, ec2: Any, project: str) -> tuple[Observed | None, str | None]:
    """Look at the lock. Returns (holder, None) when a run may be alive, else (None, what was settled, if anything)."""
    observed = store.read()
    if observed is None:
        return None, None
    proof = proof_of_death(observed, ec2, project)
    if proof is None:
        return observed, None
    run_id = observed.record.run_id
    record = close(s3, bucket, store, observed, LOST, f"The run was lost: {proof} ({iso(utc_now())}).")
    return None, f"Run {run_id} was dead ({proof}); its state was archived as {record.status} and its lock released."
