"""Schedules need their group and a role that trusts the scheduler, groups are made once, and CreateSchedule is idempotent by its ClientToken.

moto fails with an internal error where a group is missing, recreates an existing group (empty), ignores tokens, forgets
what an update says of ActionAfterCompletion, and leaves an updated schedule without a State in none.
What an environment without provisioning is told, and that creating a schedule twice is harmless, rests on AWS's own
answers. https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.scheduler.exceptions import ScheduleExists, ScheduleGroupNotFound
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, ScheduleGroup
from moto.scheduler.responses import EventBridgeSchedulerResponse

from local_aws.iam.principals import find_role, service_may_assume


class NotAssumable(JsonRESTError):
    def __init__(self) -> None:
        text = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        super().__init__("ValidationException", text)


def close_gap() -> None:
    create_schedule = EventBridgeSchedulerBackend.create_schedule
    create_group = EventBridgeSchedulerBackend.create_schedule_group
    delete_group = EventBridgeSchedulerBackend.delete_schedule_group
    update_schedule = EventBridgeSchedulerBackend.update_schedule
    answer_create = EventBridgeSchedulerResponse.create_schedule
    answer_update = EventBridgeSchedulerResponse.update_schedule

    def create_in_a_group(self: EventBridgeSchedulerBackend, *, group_name: str, **named: Any) -> Schedule:
        self.get_schedule_group(group_name)
        _check_role(self, group_name or "default", str((named.get("target") or {}).get("RoleArn", "")))
        return create_schedule(self, group_name=group_name, **named)

    def update_with_a_role(self: EventBridgeSchedulerBackend, *, group_name: str, **named: Any) -> Schedule:
        _check_role(self, group_name or "default", str((named.get("target") or {}).get("RoleArn", "")))
        named["state"] = named.get("state") or "ENABLED"
        return update_schedule(self, group_name=group_name, **named)

    def complete_update(self: EventBridgeSchedulerResponse) -> str:
        answer: str = answer_update(self)
        name = self.uri.split("?")[0].split("/")[-1]
        schedule = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
        schedule.action_after_completion = self._get_param("ActionAfterCompletion")
        return answer

    def create_group_once(self: EventBridgeSchedulerBackend, name: str, tags: list[dict[str, str]]) -> ScheduleGroup:
        if name in self.schedule_groups:
            raise ScheduleExists(name)
        return create_group(self, name, tags or [])

    def delete_existing_group(self: EventBridgeSchedulerBackend, name: str | None) -> None:
        if name not in self.schedule_groups:
            raise ScheduleGroupNotFound(str(name))
        delete_group(self, name)

    def idempotent_create(self: EventBridgeSchedulerResponse) -> str:
        name, group = self.uri.split("/")[-1], self.scheduler_backend.schedule_groups.get(self._get_param("GroupName"))
        existing = group.schedules.get(name) if group else None
        if existing is not None and getattr(existing, "local_aws_request", None) == _request(self):
            return json.dumps({"ScheduleArn": existing.arn})
        answer: str = answer_create(self)
        self.scheduler_backend.get_schedule(self._get_param("GroupName"), name).local_aws_request = _request(self)
        return answer

    EventBridgeSchedulerBackend.create_schedule = create_in_a_group
    EventBridgeSchedulerBackend.create_schedule_group = create_group_once
    EventBridgeSchedulerBackend.delete_schedule_group = delete_existing_group
    EventBridgeSchedulerBackend.update_schedule = update_with_a_role
    EventBridgeSchedulerResponse.create_schedule = idempotent_create
    EventBridgeSchedulerResponse.update_schedule = complete_update


def _check_role(backend: EventBridgeSchedulerBackend, group_name: str, role_arn: str) -> None:
    """Refuse a role that the scheduler may not assume for this group, as AWS does when the schedule is made."""
    group = f"arn:aws:scheduler:{backend.region_name}:{backend.account_id}:schedule-group/{group_name}"
    role, source = find_role(role_arn), {"aws:sourceaccount": backend.account_id, "aws:sourcearn": group}
    if role is None or not service_may_assume(role, "scheduler.amazonaws.com", source):
        raise NotAssumable()


def _request(response: EventBridgeSchedulerResponse) -> str:
    """The request as sent, ClientToken included: equal text is the same request repeated."""
    body = response.body
    return str(body.decode() if isinstance(body, bytes) else body)
