"""Everything of ours that exists now, in every region, and what the lock and the archives say about its runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chronos_training.control.lifecycle.break_stale_lock import death_of
from chronos_training.control.orphans import stack
from chronos_training.core import aws, inventory, layout, termination_schedule
from chronos_training.core.aws_types import SchedulerClient
from chronos_training.core.clock import iso
from chronos_training.core.instances import GOING, Instance, find_instances
from chronos_training.core.inventory import Resource
from chronos_training.core.objects import age_seconds
from chronos_training.core.store import Observed, open_store

_RUN_ID = re.compile(r"\d{8}-\d{6}")
LOCK, UPLOAD, SCHEDULE = "lock", "multipart upload", "schedule"


@dataclass(frozen=True)
class Scope:
    """Where to look. `region` is the environment's own, with the bucket in it; `regions` are all that are searched."""

    env: str
    project: str
    region: str
    regions: tuple[str, ...]
    bucket: str


@dataclass(frozen=True)
class Snapshot:
    """What existed at one moment. `death` is why the lock's run is dead; `ended` maps runs to the seconds since they were archived.

    `terminated` are the ids of instances of ours that are gone but still listed; `going` has for those that EC2 is ending
    the seconds since it accepted that, None where it does not say since when.
    """

    resources: list[Resource]
    observed: Observed | None
    lock_url: str
    death: str | None
    ended: dict[str, float]
    terminated: frozenset[str]
    going: dict[str, float | None]


def collect(scope: Scope) -> Snapshot:
    """Return what exists now. Raises TrainingError for what cannot be seen: unseen is never clean."""
    # The resources first: a run takes the lock before it makes anything, so the owner of all that was listed shows
    # in the lock if it is read afterwards. The other way round, a run that starts in between would look like nobody's.
    with ThreadPoolExecutor(2 * len(scope.regions) + 1) as pool:
        parts = [pool.submit(_in_region, scope, region) for region in scope.regions]
        parts += [pool.submit(_of_the_stack, scope, region) for region in scope.regions]
        parts.append(pool.submit(_uploads, scope))
        resources = [resource for part in parts for resource in part.result()]
        ending = [i for found in pool.map(lambda region: _ending(scope, region), scope.regions) for i in found]
    store = open_store(scope.bucket, scope.env, region=scope.region)
    observed = store.read()
    ec2 = aws.client("ec2", region=scope.region)
    death = death_of(observed, ec2, scope.project) if observed is not None else None
    gone = frozenset(i.instance_id for i in ending if i.state == "terminated")
    going = {i.instance_id: i.going_seconds for i in ending if i.instance_id not in gone}
    return Snapshot(resources, observed, store.url, death, _ended(scope, resources, observed), gone, going)


def _in_region(scope: Scope, region: str) -> list[Resource]:
    found = inventory.list_resources(aws.client("ec2", region=region), scope.project, scope.env)
    return found + list(_schedules(scope, region))


def _of_the_stack(scope: Scope, region: str) -> list[Resource]:
    return list(stack.left_over(scope.env, region))


def _ending(scope: Scope, region: str) -> list[Instance]:
    ec2 = aws.client("ec2", region=region)
    return [i for i in find_instances(ec2, scope.project, scope.env, live=False) if i.state in GOING]


def _schedules(scope: Scope, region: str) -> Iterable[Resource]:
    scheduler = aws.client("scheduler", region=region)
    group = termination_schedule.group_name(scope.env)
    if not _group_is_ours(scheduler, scope, group):
        return
    for found in termination_schedule.list_schedules(scheduler, scope.env):
        run = _RUN_ID.search(found.name)
        target = ", ".join(found.instance_ids) or "no instance"
        when = iso(found.fires_at) if found.fires_at else "unknown"
        detail = f"terminates {target} at {when}"
        yield Resource(SCHEDULE, found.name, found.state, run.group() if run else "", detail, region=region)


def _group_is_ours(scheduler: SchedulerClient, scope: Scope, group: str) -> bool:
    """Return whether the schedule group exists and carries both tags. A schedule itself cannot be tagged."""
    with aws.explained(f"inspect the schedule group {group} in {scheduler.meta.region_name}"):
        try:
            arn = scheduler.get_schedule_group(Name=group)["Arn"]
        except ClientError as error:
            if aws.error_code(error) == "ResourceNotFoundException":
                return False
            raise
        raw = scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"]
    tags = {tag["Key"]: tag["Value"] for tag in raw}
    return tags.get("Project") == scope.project and tags.get("Environment") == scope.env


def _uploads(scope: Scope) -> list[Resource]:
    """Return uploads in parts that were begun and neither completed nor aborted: invisible in a listing, and billed."""
    s3, found = aws.client("s3", region=scope.region), []
    with aws.explained(f"list the multipart uploads in s3://{scope.bucket}/{scope.env}/"):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=scope.bucket, Prefix=f"{scope.env}/")
        for raw in (upload for page in pages for upload in page.get("Uploads", [])):
            detail = f"s3://{scope.bucket}/{raw['Key']}"
            run_id = _run_of_key(scope.env, raw["Key"])
            found.append(Resource(UPLOAD, raw["UploadId"], iso(raw["Initiated"]), run_id, detail, region=scope.region))
    return found


def _run_of_key(env: str, key: str) -> str:
    run_id = layout.run_id_of(env, key)
    if run_id is None and key.startswith(f"{env}/logs/"):
        match = _RUN_ID.match(key.removeprefix(f"{env}/logs/"))
        run_id = match.group() if match else None
    return run_id or ""


def _ended(scope: Scope, resources: list[Resource], observed: Observed | None) -> dict[str, float]:
    active = observed.record.run_id if observed is not None else ""
    s3 = aws.client("s3", region=scope.region)
    ages = {}
    for run_id in sorted({r.run_id for r in resources} - {"", active}):
        if layout.RUN_ID.match(run_id):
            ages[run_id] = age_seconds(s3, scope.bucket, layout.run_prefix(scope.env, run_id) + "system-state.json")
    return {run_id: age for run_id, age in ages.items() if age is not None}
