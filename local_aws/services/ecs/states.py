"""A task's states, on moto's Task, and the event that each change is.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ecs.models import Task

from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.events.emit import emit

# The fields of DescribeTasks, which are those of the event; moto's attribute is the same in snake case.
FIELDS = (
    "attachments", "attributes", "availabilityZone", "capacityProviderName", "clusterArn", "connectivity", "connectivityAt",
    "containers", "cpu", "createdAt", "desiredStatus", "enableExecuteCommand", "ephemeralStorage", "executionStoppedAt",
    "group", "lastStatus", "launchType", "memory", "overrides", "platformFamily", "platformVersion", "pullStartedAt",
    "pullStoppedAt", "startedAt", "startedBy", "stopCode", "stoppedAt", "stoppedReason", "stoppingAt", "taskArn",
    "taskDefinitionArn", "version",
)  # fmt: skip


def change(aws: Aws, task: Task, status: str = "", **values: Any) -> None:
    """Set a task's status and attributes, and send the event. Takes the lock."""
    with aws.lock:
        if status:
            task.last_status = status
        for name, value in values.items():
            setattr(task, name, value)
        task.version = getattr(task, "version", 0) + 1  # type: ignore[attr-defined]
        detail = described(task)
        detail["updatedAt"] = _iso(aws.clock.utcnow())
        resources = [task.task_arn]
    emit(aws, "aws.ecs", "ECS Task State Change", detail, resources, task.region_name)


def stopped(aws: Aws, task: Task, **values: Any) -> None:
    """The task is over: its network interface goes, and its containers have stopped."""
    with aws.lock:
        for container in task.containers:
            container["lastStatus"] = "STOPPED"  # type: ignore[index]
        for attachment in task.attachments:
            attachment["status"] = "DELETED"
            _delete_interface(task, attachment)
    change(aws, task, "STOPPED", desired_status="STOPPED", stopped_at=aws.clock.utcnow(), **values)


def _delete_interface(task: Task, attachment: dict[str, Any]) -> None:
    ec2 = ec2_backends[ACCOUNT][task.region_name]
    name = next(one["value"] for one in attachment["details"] if one["name"] == "networkInterfaceId")
    interface = ec2.enis.get(name)
    if interface is not None:
        interface.status = "available"
        ec2.enis.pop(name)


def described(task: Task) -> dict[str, Any]:
    """Return a task as events show it: as DescribeTasks does, with times as text."""
    found = {}
    for field in FIELDS:
        value = getattr(task, _snake(field), None)
        if value is not None and value != "":
            found[field] = _iso(value) if isinstance(value, datetime) else value
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # a copy: the task goes on


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)


def _iso(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
