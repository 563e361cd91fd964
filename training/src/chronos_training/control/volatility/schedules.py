"""Recurring schedules of EventBridge Scheduler in a group of their own; neither collection has a module for them."""

from __future__ import annotations

import json
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

INPUT = json.dumps({"time": "<aws.scheduler.scheduled-time>"})
RETRY = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}


def ensure_present(
    scheduler: Any, group: str, schedules: list[dict[str, Any]], tags: dict[str, str], *, check_mode: bool
) -> dict[str, Any]:
    """Have the group with these schedules: name, description, expression, timezone, target, role, enabled. What else is there stays."""
    made = _ensure_group(scheduler, group, tags, check_mode=check_mode)
    before, after, written = {}, {}, []
    for one in schedules:
        wanted = _wanted(group, one)
        found = _found(scheduler, group, one["name"], wanted)
        if found == wanted:
            continue
        written.append(one["name"])
        before[one["name"]], after[one["name"]] = found, wanted
        if check_mode:
            continue
        with aws.explained(f"write the schedule {one['name']}"):
            (scheduler.create_schedule if found is None else scheduler.update_schedule)(**wanted)
    texts = [json.dumps(side, indent=1, sort_keys=True) + "\n" for side in (before, after)]
    return {
        "changed": made or bool(written),
        "written": written,
        "group_made": made,
        "diff": dict(zip(("before", "after"), texts, strict=True)),
    }


def _ensure_group(scheduler: Any, group: str, tags: dict[str, str], *, check_mode: bool) -> bool:
    try:
        with aws.explained(f"look for the schedule group {group}"):
            scheduler.get_schedule_group(Name=group)
        return False
    except TrainingError as error:
        if not _is_missing(error):
            raise
    if not check_mode:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        with aws.explained(f"make the schedule group {group}"):
            scheduler.create_schedule_group(Name=group, Tags=listed)
    return True


def _wanted(group: str, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": one["name"],
        "GroupName": group,
        "Description": one["description"],
        "ScheduleExpression": one["expression"],
        "ScheduleExpressionTimezone": one["timezone"],
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED" if one["enabled"] else "DISABLED",
        "Target": {"Arn": one["target"], "RoleArn": one["role"], "Input": INPUT, "RetryPolicy": RETRY},
    }


def _found(scheduler: Any, group: str, name: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is there of what is wanted, None when there is no such schedule."""
    try:
        with aws.explained(f"look for the schedule {name}"):
            found = scheduler.get_schedule(GroupName=group, Name=name)
    except TrainingError as error:
        if _is_missing(error):
            return None
        raise
    return {key: found.get(key) for key in wanted}


def _is_missing(error: TrainingError) -> bool:
    response = getattr(error.__cause__, "response", {})
    return bool(response.get("Error", {}).get("Code") == "ResourceNotFoundException")
