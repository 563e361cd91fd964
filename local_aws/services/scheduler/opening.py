"""Opens EventBridge Scheduler."""

from __future__ import annotations

from typing import Any

from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

from local_aws.services.aws import Aws
from local_aws.services.scheduler import schedule_groups
from local_aws.services.scheduler.firing import Firings

_firings: list[Firings] = []


def open_service(aws: Aws) -> None:
    """Close the gaps, and let schedules fire."""
    schedule_groups.close_gap()
    firings = Firings(aws)
    _firings.append(firings)
    create, update = EventBridgeSchedulerBackend.create_schedule, EventBridgeSchedulerBackend.update_schedule
    delete = EventBridgeSchedulerBackend.delete_schedule
    delete_group = EventBridgeSchedulerBackend.delete_schedule_group

    def create_and_plan(self: EventBridgeSchedulerBackend, **named: Any) -> Schedule:
        schedule = create(self, **named)
        firings.plan(schedule)
        return schedule

    def update_and_plan(self: EventBridgeSchedulerBackend, **named: Any) -> Schedule:
        schedule = update(self, **named)
        firings.plan(schedule)
        return schedule

    def delete_and_forget(self: EventBridgeSchedulerBackend, group_name: str | None, name: str) -> None:
        firings.forget(self.get_schedule(group_name, name))
        delete(self, group_name, name)

    def delete_group_and_forget(self: EventBridgeSchedulerBackend, name: str | None) -> None:
        for schedule in self.get_schedule_group(name).schedules.values():
            firings.forget(schedule)
        delete_group(self, name)

    EventBridgeSchedulerBackend.create_schedule = create_and_plan
    EventBridgeSchedulerBackend.update_schedule = update_and_plan
    EventBridgeSchedulerBackend.delete_schedule = delete_and_forget
    EventBridgeSchedulerBackend.delete_schedule_group = delete_group_and_forget


def resume(aws: Aws) -> None:
    """Go on after a crash."""
    for firings in _firings:
        firings.resume()
