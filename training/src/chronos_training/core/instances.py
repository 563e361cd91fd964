"""The instances of an environment, always found by tag: the tags are the truth, our own records are not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from . import aws
from .aws_types import EC2Client, Filter
from .clock import duration
from .commands import fix, playbook
from .errors import TrainingError

LIVE_STATES = ("pending", "running", "shutting-down", "stopping", "stopped")
# EC2 has accepted the end of these. Nothing takes it back, and it bills no instance from then on; the vCPUs count against
# the account's quota until it is terminated.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
GOING = ("shutting-down", "terminated")
# The longest wait for an instance's end, wherever one is waited for. A GPU instance (g4dn) was seen to take 5 to 8 minutes
# from EC2's acceptance to `terminated`.
TERMINATION_SECONDS = 900.0
# Told what is waited for, and the seconds so far.
Show = Callable[[str, float], None]


@dataclass(frozen=True)
class Instance:
    """One instance as EC2 describes it."""

    instance_id: str
    state: str
    run_id: str
    instance_type: str
    zone: str
    launched_at: str
    going_seconds: float | None = None  # since EC2 accepted its end, where EC2 says when that was

    @property
    def stuck(self) -> bool:
        """Return whether EC2 has been ending it for longer than it should take."""
        return self.state == "shutting-down" and (self.going_seconds or 0.0) > TERMINATION_SECONDS


def tag_filters(project: str, env: str | None, run_id: str | None = None) -> list[Filter]:
    """Return the EC2 filters for resources of this project and environment (None: of all of them) and run."""
    wanted = {"Project": project, **({"Environment": env} if env else {}), **({"RunId": run_id} if run_id else {})}
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]


def find_instances(
    ec2: EC2Client, project: str, env: str | None, run_id: str | None = None, *, live: bool = True
) -> list[Instance]:
    """Return the instances tagged so, newest first; `live` leaves out the terminated ones."""
    filters = tag_filters(project, env, run_id)
    if live:
        filters.append({"Name": "instance-state-name", "Values": list(LIVE_STATES)})
    with aws.explained("list the instances"):
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
        found = [
            _instance(raw, page["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
            for page in pages
            for reservation in page["Reservations"]
            for raw in reservation["Instances"]
        ]
    return sorted(found, key=lambda i: i.launched_at, reverse=True)


def terminate(ec2: EC2Client, instances: list[Instance], *, skip_os_shutdown: bool = False) -> None:
    """Ask EC2 to end `instances`, and return when it has accepted that: from then on nothing keeps them alive.

    `skip_os_shutdown` switches them off instead of asking their operating systems first. One that EC2 has been ending
    for longer than TERMINATION_SECONDS is ended by force, AWS's own remedy for an instance that is stuck so.
    TrainingError when EC2 refuses.
    """
    stuck = sorted(i.instance_id for i in instances if i.stuck)
    others = sorted(i.instance_id for i in instances if not i.stuck and (skip_os_shutdown or i.state not in GOING))
    how = {"SkipOsShutdown": True} if skip_os_shutdown else {}
    for ids, options in ((others, how), (stuck, {"Force": True, "SkipOsShutdown": True})):
        if ids:
            with aws.explained(f"terminate {', '.join(ids)}"):
                ec2.terminate_instances(InstanceIds=ids, **options)


def wait_until_terminated(
    ec2: EC2Client,
    instances: list[Instance],
    project: str,
    env: str,
    *,
    seconds: float = TERMINATION_SECONDS,
    pause: float = 2.0,
    show: Show = lambda what, waited: None,
) -> None:
    """Wait until EC2 says `terminated` of each of `instances`, asked by tag.

    Asks every `pause` seconds, more often at first; `show` is told each time what is waited for, and for how long so far.
    A "not found" proves nothing (fresh instances are not listed at once), so only `terminated` counts.
    Raises TrainingError with the ids that are not terminated after `seconds`.
    """
    wanted = {i.instance_id for i in instances}
    began = time.monotonic()
    wait = pause / 8  # most need some seconds; whoever is faster is not kept waiting
    while wanted:
        now = {i.instance_id: i.state for i in find_instances(ec2, project, env, live=False)}
        alive = {i: now.get(i, "not listed") for i in wanted if now.get(i) != "terminated"}
        waited = time.monotonic() - began
        if not alive:
            return
        names = ", ".join(f"{i} ({state})" for i, state in sorted(alive.items()))
        if waited > seconds:
            raise _not_terminated(env, names, waited, all(state in GOING for state in alive.values()))
        show(f"waiting for EC2 to end {names}", waited)
        time.sleep(wait)
        wait = min(pause, wait * 1.5)


def _not_terminated(env: str, names: str, waited: float, accepted: bool) -> TrainingError:
    if accepted:
        return TrainingError(
            f"EC2 has not ended {names} in {duration(waited)}, although it has accepted the request.",
            hint="AWS does not bill an instance that is shutting down, and ends a stuck one on its own within "
            f"hours. To end it by force: {fix(env)}",
            code="not_terminated",
        )
    return TrainingError(
        f"Not confirmed as terminated after {duration(waited)}: {names}.",
        hint=f"They may still cost money: check the EC2 console, then {playbook(env, 'verify_cleanup')}",
        code="not_terminated",
    )


_ASKED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


def _going_seconds(raw: Mapping[str, Any], answered_at: str) -> float | None:
    """Return for how long an instance has been ending, by EC2's clock; None when EC2 does not say since when."""
    asked = _ASKED_AT.search(raw.get("StateTransitionReason") or "")
    if raw["State"]["Name"] not in GOING or asked is None or not answered_at:
        return None
    try:
        now = parsedate_to_datetime(answered_at)
    except ValueError:
        return None
    since = datetime.strptime(asked[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    return max(0.0, (now - since).total_seconds())


def _instance(raw: Mapping[str, Any], answered_at: str) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}
    return Instance(
        raw["InstanceId"],
        raw["State"]["Name"],
        tags.get("RunId", ""),
        raw["InstanceType"],
        raw["Placement"]["AvailabilityZone"],
        raw["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        _going_seconds(raw, answered_at),
    )
