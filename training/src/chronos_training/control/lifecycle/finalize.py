"""Closes a run whose instances were ended: what the state names is confirmed as gone, then just that version is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from chronos_training.control.lifecycle.reconcile import close
from chronos_training.control.lifecycle.waiting import Waiting
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.instances import find_instances, terminate, wait_until_terminated
from chronos_training.core.record import RunRecord
from chronos_training.core.store import Observed, RunActive, StateStore

POLL_SECONDS = 1.0


def finalize(
    s3: S3Client,
    bucket: str,
    store: StateStore,
    ec2: EC2Client,
    project: str,
    run_ids: Collection[str],
    status: str,
    reason: str,
    emit: Callable[[str], None],
    *,
    consistency_seconds: float,
    error_code: str | None = None,
) -> RunRecord | None:
    """Close the run that holds the lock, if it is one of `run_ids`; return its final record, None when the lock is another's.

    An instance may claim the run between the look at EC2 and the close, or write once more while it dies: then the
    state has changed, and looking starts over. So a lock is never taken from an instance that is at work (two workers),
    and never left behind (both found by tests/protocol). It ends because an ended instance writes nothing more.
    """
    while True:
        current = store.read()
        if current is None or current.record.run_id not in run_ids:
            return None
        if _end_what_it_names(ec2, project, current, emit, consistency_seconds):
            continue
        try:
            return close(s3, bucket, store, current, status, reason, error_code)
        except RunActive:
            time.sleep(POLL_SECONDS)


def _end_what_it_names(
    ec2: EC2Client, project: str, current: Observed, emit: Callable[[str], None], consistency_seconds: float
) -> bool:
    """End the instances of the run that still live. True when something was found or may turn up: look again."""
    record = current.record
    listed = find_instances(ec2, project, record.env, record.run_id, live=False)
    alive = [instance for instance in listed if instance.state != "terminated"]
    if alive:
        terminate(ec2, alive)
        wait_until_terminated(ec2, alive, project, record.env, show=Waiting(emit))
        return True
    unlisted = not set(record.instances) <= {i.instance_id for i in listed}
    if unlisted and current.age_seconds < consistency_seconds:
        time.sleep(POLL_SECONDS)
        return True
    return False
