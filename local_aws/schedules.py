"""EventBridge schedules fire. moto stores them and does nothing more.

What this project uses: one-time schedules, `at(…)`, whose target is a call of EC2's TerminateInstances with the schedule's
Input. A failed call is repeated as the schedule's RetryPolicy says, only faster; then the request goes to its dead-letter
queue, and the schedule is deleted when ActionAfterCompletion says so, after success and failure alike, as on AWS.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.scheduler.models import Schedule, scheduler_backends
from moto.sqs.models import sqs_backends

log = logging.getLogger("local_aws.schedules")

TERMINATE_INSTANCES = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
# AWS repeats with growing pauses for up to a day; what a test learns from it is over in seconds.
FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS = 0.2, 1.0, 5


class TargetError(Exception):
    """The target refused. `code` and `args[0]` are what the dead-letter queue says."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass
class _Firing:
    """A schedule that is due and has failed so far."""

    execution_id: str
    failures: int = 0
    next_try: float = 0.0  # monotonic


class Schedules:
    """Looks for schedules that are due. `lock` is the lock of the WSGI application."""

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self._firing: dict[int, _Firing] = {}  # by identity: a schedule made anew under an old name is another one

    def look(self) -> None:
        """Fire what is due. Called by the host some times a second."""
        with self.lock:
            due = [
                (account, region, schedule)
                for account, regions in list(scheduler_backends.items())
                for region, backend in list(regions.items())
                for group in backend.schedule_groups.values()
                for schedule in list(group.schedules.values())
                if schedule.state == "ENABLED" and not getattr(schedule, "local_aws_done", False) and _is_due(schedule)
            ]
            for account, region, schedule in due:
                self._fire(account, region, schedule)
            alive = {id(schedule) for _, _, schedule in due}
            self._firing = {key: firing for key, firing in self._firing.items() if key in alive}

    def _fire(self, account: str, region: str, schedule: Schedule) -> None:
        firing = self._firing.setdefault(id(schedule), _Firing(str(uuid.uuid4())))
        if time.monotonic() < firing.next_try:
            return
        try:
            _call_target(account, region, schedule.target)
        except Exception as error:
            firing.failures += 1
            allowed = int(schedule.target["RetryPolicy"].get("MaximumRetryAttempts", 185))
            if firing.failures <= min(allowed, MOST_ATTEMPTS - 1):
                firing.next_try = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (firing.failures - 1))
                return
            log.warning("schedule %s failed for good: %s", schedule.name, error)
            _bury(account, schedule, firing, error)
        else:
            log.info("schedule %s fired", schedule.name)
        if schedule.action_after_completion == "DELETE":
            scheduler_backends[account][region].schedule_groups[schedule.group_name].delete_schedule(schedule.name)
        else:
            schedule.local_aws_done = True


def _is_due(schedule: Schedule) -> bool:
    when = due_at(schedule.schedule_expression, schedule.schedule_expression_timezone)
    return when is not None and when <= datetime.now(timezone.utc)


def due_at(expression: str, zone: str) -> datetime | None:
    """When a one-time schedule is due, in UTC; None for recurring ones, which nothing here uses."""
    try:
        local = datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=ZoneInfo(zone or "UTC"))
    except (ValueError, ZoneInfoNotFoundError):
        return None
    return local.astimezone(timezone.utc)


def _call_target(account: str, region: str, target: dict[str, Any]) -> None:
    """Do what the scheduler does with the target's role: one API call."""
    role_name = str(target["RoleArn"]).rsplit("/", 1)[-1]
    roles = {role.name: role for role in iam_backends[account]["aws"].roles.values()}
    trusted = str(getattr(roles.get(role_name), "assume_role_policy_document", ""))
    if "scheduler.amazonaws.com" not in trusted:
        raise TargetError("AccessDeniedException", f"EventBridge Scheduler may not assume {target['RoleArn']}.")
    if target["Arn"] != TERMINATE_INSTANCES:
        raise TargetError("ValidationException", f"The embedded AWS does not know the target {target['Arn']}.")
    instance_ids = json.loads(target.get("Input") or "{}").get("InstanceIds") or []
    if not instance_ids:
        raise TargetError("MissingParameter", "The request must contain the parameter InstanceId")
    ec2_backends[account][region].terminate_instances(instance_ids)


def _bury(account: str, schedule: Schedule, firing: _Firing, error: Exception) -> None:
    """Send the request to the dead-letter queue, with the attributes that AWS gives it."""
    arn = schedule.target.get("DeadLetterConfig", {}).get("Arn")
    if not arn:
        return
    _, _, _, region, owner, name = str(arn).split(":")
    when = due_at(schedule.schedule_expression, schedule.schedule_expression_timezone)
    attributes = {
        "ERROR_CODE": str(getattr(error, "code", None) or getattr(error, "error_type", None) or type(error).__name__),
        "ERROR_MESSAGE": str(getattr(error, "message", None) or error),
        "EXECUTION_ID": firing.execution_id,
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(firing.failures - 1),
        "SCHEDULED_TIME": when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else "",
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    try:
        sqs_backends[owner][region].send_message(
            name,
            schedule.target.get("Input") or "{}",
            message_attributes={key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()},
        )
    except Exception:
        log.exception("the dead-letter queue %s did not take the request of %s", arn, schedule.name)
