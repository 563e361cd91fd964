"""Proof that nothing is left: by tags, never by our own records (R4). Also completes `cleanup_status.json` (R25)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from chronos_training.core import aws, inventory, layout
from chronos_training.core.inventory import Resource
from chronos_training.core.objects import read_json
from chronos_training.core.store import Observed, open_store

from .runs import run_ids
from .settle import proof_of_death

# Terminating takes EC2 up to a minute or so; only what stays after that is an orphan.
PASSING = {"shutting-down", "terminating", "deleting", "in-use", "detaching"}
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Verdict:
    """What is there. `orphans` cost money and belong to no run; `in_use` belong to the active run."""

    active_run: str | None
    dead_lock: str | None  # why the lock has no living owner
    in_use: list[Resource]
    orphans: list[Resource]

    @property
    def clean(self) -> bool:
        """Return whether nothing is left over."""
        return not self.orphans and self.dead_lock is None


def verify(env: str, project: str, region: str, bucket: str, *, wait_seconds: float) -> Verdict:
    """Return what exists under our tags. Waits up to `wait_seconds` for what is on its way out."""
    ec2 = aws.client("ec2", region=region)
    store = open_store(bucket, env, region=region)
    deadline = time.monotonic() + wait_seconds
    while True:
        verdict = _look(store.read(), ec2, project, env)
        waiting = [r for r in verdict.orphans if r.state in PASSING]
        if not waiting or time.monotonic() > deadline:
            return verdict
        time.sleep(POLL_SECONDS)


def _look(observed: Observed | None, ec2: Any, project: str, env: str) -> Verdict:
    found = inventory.list_resources(ec2, project, env)
    if observed is None:
        return Verdict(None, None, [], found)
    run_id = observed.record.run_id
    proof = proof_of_death(observed, ec2, project)
    if proof is not None:
        return Verdict(None, f"run {run_id} is dead ({proof}) but its lock {env}/system-state.json is there", [], found)
    in_use = [r for r in found if r.run_id == run_id]
    return Verdict(run_id, None, in_use, [r for r in found if r.run_id != run_id])


def complete_cleanup_status(s3: Any, bucket: str, env: str, verdict: Verdict) -> str | None:
    """Write the inventory after the newest ended run into its `cleanup_status.json`; return its key, None if not due."""
    newest = next((r for r in run_ids(s3, bucket, env, limit=2) if r != verdict.active_run), None)
    if newest is None:
        return None
    key = layout.run_prefix(env, newest) + "cleanup_status.json"
    status = read_json(s3, bucket, key) or {
        "schema_version": 1,
        "run_id": newest,
        "written_by": "verify_cleanup",
        "before": None,
        "after": None,
    }
    if status.get("after") is not None and status.get("status") == "clean":
        return None
    left = [r for r in verdict.orphans if r.run_id == newest]
    status |= {"status": "orphans" if left else "clean", "after": inventory.as_inventory(left)}
    with aws.explained(f"write s3://{bucket}/{key}"):
        body = (json.dumps(status, indent=2) + "\n").encode()
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return key


def table(verdict: Verdict) -> list[str]:
    """Return the verdict as lines: a table when something exists, one sentence otherwise."""
    rows = [(r, "orphan") for r in verdict.orphans] + [(r, f"run {verdict.active_run}") for r in verdict.in_use]
    lines = []
    if rows:
        lines.append(f"{'kind':20}{'id':24}{'state':16}{'belongs to':24}detail")
        lines += [f"{r.kind:20}{r.resource_id:24}{r.state:16}{whose:24}{r.detail}" for r, whose in rows]
    if verdict.dead_lock:
        lines.append(verdict.dead_lock)
    if verdict.clean:
        checked = "instances, volumes, network interfaces, snapshots, addresses, lock"
        state = f"run {verdict.active_run} is active" if verdict.active_run else "nothing is running"
        lines.append(f"clean: {state}, no orphan ({checked})")
    return lines
