"""What a request to EventBridge's scheduler needs."""

from __future__ import annotations

import json

from local_aws.calls import Call
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    prefix = f"arn:aws:scheduler:{call.region}:{account}"
    if action in ("ListSchedules", "ListScheduleGroups"):
        return [Need(f"scheduler:{action}", "*")]
    if action in ("CreateScheduleGroup", "GetScheduleGroup", "DeleteScheduleGroup"):
        needs = [Need(f"scheduler:{action}", f"{prefix}:schedule-group/{given['Name']}")]
        if action == "DeleteScheduleGroup":  # its schedules go with it
            needs.append(Need("scheduler:DeleteSchedule", f"{prefix}:schedule/{given['Name']}/*"))
        if "Tags" in given:
            needs.append(Need("scheduler:TagResource", f"{prefix}:schedule-group/{given['Name']}"))
        return needs
    if action in ("ListTagsForResource", "TagResource", "UntagResource"):
        return [Need(f"scheduler:{action}", given["ResourceArn"])]
    if action not in ("CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule"):
        return None
    group = given.get("GroupName") or given.get("groupName") or "default"
    needs = [Need(f"scheduler:{action}", f"{prefix}:schedule/{group}/{given['Name']}")]
    if action in ("CreateSchedule", "UpdateSchedule"):
        role = str(json.loads(given.get("Target", "{}")).get("RoleArn", ""))
        needs.append(Need("iam:PassRole", role, {"iam:passedtoservice": "scheduler.amazonaws.com"}))
    return needs
