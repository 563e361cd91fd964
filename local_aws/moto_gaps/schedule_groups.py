"""Schedules need their group, groups are made once, and CreateSchedule is idempotent by its ClientToken.

moto fails with an internal error where a group is missing, makes an existing group anew (and empty), and ignores tokens.
What an environment without provisioning is told, and that arming a guard twice is harmless, rests on AWS's own answers.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.scheduler.exceptions import ScheduleExists, ScheduleGroupNotFound
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, ScheduleGroup
from moto.scheduler.responses import EventBridgeSchedulerResponse


def close_gap() -> None:
    create_schedule = EventBridgeSchedulerBackend.create_schedule
    create_group = EventBridgeSchedulerBackend.create_schedule_group
    delete_group = EventBridgeSchedulerBackend.delete_schedule_group
    answer_create = EventBridgeSchedulerResponse.create_schedule

    def create_in_a_group(self: EventBridgeSchedulerBackend, *, group_name: str, **named: Any) -> Schedule:
        self.get_schedule_group(group_name)
        return create_schedule(self, group_name=group_name, **named)

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
    EventBridgeSchedulerResponse.create_schedule = idempotent_create


def _request(response: EventBridgeSchedulerResponse) -> str:
    """The request as sent, ClientToken included: equal text is the same request repeated."""
    body = response.body
    return str(body.decode() if isinstance(body, bytes) else body)
