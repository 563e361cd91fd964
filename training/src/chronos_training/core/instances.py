"""The instances of an environment, always found by tag: the tags are the truth, our own records are not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from . import aws
from .commands import playbook
from .errors import TrainingError

LIVE_STATES = ("pending", "running", "shutting-down", "stopping", "stopped")


@dataclass(frozen=True)
class Instance:
    """One instance as EC2 describes it."""

    instance_id: str
    state: str
    run_id: str
    instance_type: str
    zone: str
    launched_at: str


def tag_filters(project: str, env: str, run_id: str | None = None) -> list[dict[str, Any]]:
    """Return the EC2 filters for resources of this project and environment (and run)."""
    wanted = {"Project": project, "Environment": env} | ({"RunId": run_id} if run_id else {})
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]


def find_instances(ec2: Any, project: str, env: str, run_id: str | None = None, *, live: bool = True) -> list[Instance]:
    """Return the instances tagged so, newest first; `live` leaves out the terminated ones."""
    filters = tag_filters(project, env, run_id)
    if live:
        filters.append({"Name": "instance-state-name", "Values": list(LIVE_STATES)})
    with aws.explained("list the instances"):
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
        raw = [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
    return sorted((_instance(i) for i in raw), key=lambda i: i.launched_at, reverse=True)


def terminate_and_confirm(
    ec2: Any, instances: list[Instance], project: str, env: str, *, timeout_seconds: float = 300.0, pause: float = 2.0
) -> None:
    """Terminate `instances` and wait until EC2 says `terminated` for each, asked by tag.

    Asks every `pause` seconds, more often at first. A "not found" proves nothing (fresh instances are not listed at
    once), so only `terminated` counts.
    Raises TrainingError with the ids that still live at the time-out.
    """
    wanted = {i.instance_id for i in instances}
    if not wanted:
        return
    with aws.explained(f"terminate {', '.join(sorted(wanted))}"):
        ec2.terminate_instances(InstanceIds=sorted(wanted))
    deadline = time.monotonic() + timeout_seconds
    wait = pause / 8  # EC2 takes some seconds; whoever is faster is not kept waiting
    while True:
        now = {i.instance_id: i.state for i in find_instances(ec2, project, env, live=False)}
        alive = {i: now.get(i, "not listed") for i in wanted if now.get(i) != "terminated"}
        if not alive:
            return
        if time.monotonic() > deadline:
            names = ", ".join(f"{i} ({state})" for i, state in sorted(alive.items()))
            raise TrainingError(
                f"Not confirmed as terminated after {timeout_seconds:.0f} s: {names}.",
                hint=f"They may still cost money: look at the EC2 console, then {playbook(env, 'verify_cleanup')}",
            )
        time.sleep(wait)
        wait = min(pause, wait * 1.5)


def _instance(raw: dict[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}
    return Instance(
        raw["InstanceId"],
        raw["State"]["Name"],
        tags.get("RunId", ""),
        raw["InstanceType"],
        raw["Placement"]["AvailabilityZone"],
        raw["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
