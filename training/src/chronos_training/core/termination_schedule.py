"""The termination schedule: a one-time EventBridge schedule that terminates a run's instance at its deadline (R11).

It needs nothing of the instance and nothing of the launching machine. It is created once the instance is in the state,
and deleted when the instance is about to shut down or EC2 has accepted its end; it deletes itself after it fired.
Each instance of a run has a schedule of its own: EC2 refuses a request with one id that it no longer knows, and ends
none of the others. Names follow from environment, run and the instance's number alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from . import aws
from .aws_types import SchedulerClient
from .commands import playbook
from .errors import TrainingError

# A universal target: the scheduler calls this API with the Input as its request. It takes no account and no region.
TARGET = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
# Long enough for an outage of EC2's API; after that the dead-letter queue gets the request, and a person must act.
RETRY_POLICY = {"MaximumEventAgeInSeconds": 6 * 3600, "MaximumRetryAttempts": 185}
# AWS's words while a new role is not known everywhere yet (IAM is eventually consistent).
_ROLE_NOT_READY = "must allow AWS EventBridge Scheduler to assume the role"
ROLE_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 3.0
_RUN_AND_NUMBER = re.compile(r"(\d{8}-\d{6})(?:-(\d+))?")
_EXPRESSION = "at(%Y-%m-%dT%H:%M:%S)"  # no zone suffix: the zone has a field of its own


@dataclass(frozen=True)
class TerminationSchedule:
    """One termination schedule. `fires_at` is timezone-aware UTC; None and empty strings where a schedule is not one
    of ours.
    """

    name: str
    run_id: str
    number: int
    instance_ids: tuple[str, ...]
    fires_at: datetime | None
    state: str


def group_name(env: str) -> str:
    """Return the schedule group of an environment. Groups carry the tags: a schedule cannot be tagged."""
    return f"chronos-training-{env}"


def schedule_name(env: str, run_id: str, number: int = 0) -> str:
    """Return the name of the schedule of a run's head node, or of its worker `number`.

    ValueError over 64 characters, where AWS stops.
    """
    name = f"{group_name(env)}-{run_id}" + (f"-{number}" if number else "")
    if len(name) > 64:
        raise ValueError(f"the schedule name {name} is longer than 64 characters")
    return name


def request_of(
    env: str, run_id: str, instance_id: str, fires_at: datetime, role_arn: str, queue_arn: str, number: int = 0
) -> dict[str, Any]:
    """Return the CreateSchedule request. The same run and instance give the same bytes: repeating it is harmless."""
    return {
        "Name": schedule_name(env, run_id, number),
        "GroupName": group_name(env),
        "Description": f"Terminates {instance_id} of run {run_id} if it still exists at its deadline.",
        "ScheduleExpression": fires_at.astimezone(timezone.utc).strftime(_EXPRESSION),
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": TARGET,
            "RoleArn": role_arn,
            # No SkipOsShutdown (of EC2 since 2025): EC2 itself cuts short an operating system that hangs, and bills
            # nothing meanwhile. A scheduler that does not know the parameter would end nothing at all, and be found out
            # too late.
            "Input": json.dumps({"InstanceIds": [instance_id]}),
            "RetryPolicy": dict(RETRY_POLICY),
            # ActionAfterCompletion deletes the schedule also after failed retries: only this queue then still tells.
            "DeadLetterConfig": {"Arn": queue_arn},
        },
        "ClientToken": f"{run_id}-{instance_id}",
    }


def create(
    scheduler: SchedulerClient,
    env: str,
    run_id: str,
    instance_id: str,
    fires_at: datetime,
    *,
    role_arn: str,
    queue_arn: str,
    number: int = 0,
    patience_seconds: float = ROLE_PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Create the schedule that terminates `instance_id`, the run's head node or worker `number`, at `fires_at`.

    Waits up to `patience_seconds` for a role that is new.

    Creating the same one again is harmless. TrainingError when AWS refuses, or when another schedule has the run's
    name.
    """
    request = request_of(env, run_id, instance_id, fires_at, role_arn, queue_arn, number)
    deadline = time.monotonic() + patience_seconds
    with aws.explained(f"create the termination schedule {request['Name']}"):
        while True:
            try:
                scheduler.create_schedule(**request)
                return
            except ClientError as error:
                code = aws.error_code(error)
                if code == "ConflictException" and _is_there(scheduler, request):
                    return
                if code == "ResourceNotFoundException":
                    raise TrainingError(
                        f"Could not create the termination schedule: the schedule group {request['GroupName']} does "
                        "not exist.",
                        hint=f"Run this, then launch again: {playbook(env, 'provision_infrastructure')}",
                        code="not_provisioned",
                    ) from error
                if _ROLE_NOT_READY not in str(error):
                    raise
                if time.monotonic() >= deadline:
                    raise TrainingError(
                        "Could not create the termination schedule: EventBridge Scheduler may not assume its role "
                        f"{role_arn}.",
                        hint="A role created within the last minute may need another minute; otherwise restore it with "
                        f"{playbook(env, 'provision_infrastructure')}",
                        code="permission_denied",
                    ) from error
            sleep(_PAUSE_SECONDS)


def cancel(scheduler: SchedulerClient, env: str, run_id: str, number: int = 0) -> bool:
    """Delete the schedule of a head node or worker. False when there is none: it fired, or was deleted before."""
    name = schedule_name(env, run_id, number)
    with aws.explained(f"delete the termination schedule {name}"):
        try:
            scheduler.delete_schedule(Name=name, GroupName=group_name(env))
        except ClientError as error:
            if aws.error_code(error) == "ResourceNotFoundException":
                return False
            raise
    return True


def list_schedules(scheduler: SchedulerClient, env: str) -> list[TerminationSchedule]:
    """Return every schedule in the environment's group, by name. Empty when the group does not exist."""
    group = group_name(env)
    with aws.explained(f"list the termination schedules in {group}"):
        try:
            pages = list(scheduler.get_paginator("list_schedules").paginate(GroupName=group))
        except ClientError as error:
            if aws.error_code(error) == "ResourceNotFoundException":
                return []
            raise
        found = []
        for summary in (s for page in pages for s in page["Schedules"]):
            raw = _get(scheduler, summary["Name"], group)
            if raw is not None:  # else it fired between the two calls
                found.append(_schedule_of(raw, f"{group}-"))
    return sorted(found, key=lambda one: one.name)


def _get(scheduler: SchedulerClient, name: str, group: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = scheduler.get_schedule(Name=name, GroupName=group)
    except ClientError as error:
        if aws.error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return found


def _is_there(scheduler: SchedulerClient, request: dict[str, Any]) -> bool:
    """Return whether the existing schedule does what `request` asks for: then it is our own."""
    found = _get(scheduler, request["Name"], request["GroupName"])
    return (
        found is not None
        and found["ScheduleExpression"] == request["ScheduleExpression"]
        and found["Target"].get("Input") == request["Target"]["Input"]
    )


def _schedule_of(raw: Mapping[str, Any], prefix: str) -> TerminationSchedule:
    name = str(raw["Name"])
    try:
        fires_at = datetime.strptime(raw["ScheduleExpression"], _EXPRESSION).replace(tzinfo=timezone.utc)
    except ValueError:
        fires_at = None
    try:
        instance_ids = tuple(str(i) for i in json.loads(raw["Target"].get("Input", "{}")).get("InstanceIds", ()))
    except (ValueError, AttributeError):
        instance_ids = ()
    match = _RUN_AND_NUMBER.fullmatch(name.removeprefix(prefix))
    run_id, number = (match[1], int(match[2] or 0)) if match else (name.removeprefix(prefix), 0)
    return TerminationSchedule(name, run_id, number, instance_ids, fires_at, str(raw.get("State", "")))
