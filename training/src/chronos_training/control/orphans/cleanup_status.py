"""`cleanup_status.json` of ended runs: what was there before the end, and what is there after it (R25)."""

from __future__ import annotations

import json
from typing import Any

from chronos_training.control.orphans.classify import OrphanReport
from chronos_training.control.orphans.snapshot import LOCK
from chronos_training.control.orphans.verify import Emit, Verdict
from chronos_training.control.registry.runs import run_ids
from chronos_training.core import aws, inventory, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import PermissionDenied
from chronos_training.core.inventory import Resource
from chronos_training.core.objects import read_json

# An instance cannot see its own end, so each run's `after` is filled in by the next verification.
LOOK_BACK = 10


def complete(s3: S3Client, first: Verdict, last: Verdict, emit: Emit) -> list[str]:
    """Write the inventory after the end for the newest runs that lack it; return the keys written.

    `first` is what was seen at first: what existed before, for a run that could not write that itself. Whoever may only
    read leaves it to the next verification of somebody who may write.
    """
    scope = last.scope
    active = last.active.record.run_id if last.active is not None else None
    held = {f.resource.run_id for f in last.orphans if f.resource.kind == LOCK and f.blocked}  # still ending
    ended = [r for r in run_ids(s3, scope.bucket, scope.env, limit=LOOK_BACK + 1) if r != active and r not in held]
    written = []
    for run_id in ended[:LOOK_BACK]:
        key = layout.run_prefix(scope.env, run_id) + "cleanup_status.json"
        status = read_json(s3, scope.bucket, key)
        # Once clean it stays clean; a run that was seen with leftovers is looked at until they are gone.
        if status is not None and status.get("after") is not None and status.get("status") == "clean":
            continue
        try:
            _write(s3, scope.bucket, key, _completed(status, run_id, first, last))
        except PermissionDenied as error:
            emit(f"could not store the record of the verification: {error.message}")
            break
        written.append(key)
    return written


def _completed(status: dict[str, Any] | None, run_id: str, first: Verdict, last: Verdict) -> dict[str, Any]:
    status = status or {"schema_version": 1, "run_id": run_id, "written_by": "verify_cleanup", "before": None}
    left, going = _of(run_id, last.orphans), _of(run_id, last.going)
    before = _of(run_id, first.orphans + first.going)
    status |= {
        "status": "orphans" if left else "terminating" if going else "clean",
        "before": status.get("before") or inventory.as_inventory(before),
        "after": {**inventory.as_inventory(left + going), "regions": list(last.scope.regions)},
    }
    return status


def _of(run_id: str, reports: list[OrphanReport]) -> list[Resource]:
    return [f.resource for f in reports if f.resource.run_id == run_id]


def _write(s3: S3Client, bucket: str, key: str, status: dict[str, Any]) -> None:
    body = (json.dumps(status, indent=2) + "\n").encode()
    with aws.explained(f"write s3://{bucket}/{key}"):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
