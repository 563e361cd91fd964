"""EventBridge schedules fire. moto stores them and does nothing more.

What this project uses: one-time schedules, `at(…)`, whose target is a call of EC2's TerminateInstances with the schedule's
Input, made with the schedule's role: its trust policy and its permissions are asked. A failed call is repeated as the schedule's RetryPolicy says, only faster; then the request goes to its dead-letter
queue, and the schedule is deleted when ActionAfterCompletion says so, after success and failure alike, as on AWS.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.ec2.models import ec2_backends
from moto.scheduler.models import Schedule, scheduler_backends
from moto.sqs.models import sqs_backends

from local_aws.iam.decisions import decide_and_note
from local_aws.iam.needs.ec2 import existing
from local_aws.iam.policies import Need
from local_aws.iam.principals import Principal, find_role, role_session, service_may_assume
from local_aws.moto_gaps.instance_states import note_how

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
        self._firing: dict[int, _Firing] = {}  # by identity: a schedule recreated under an old name is a different one

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
            _call_target(account, region, schedule)
        except Exception as error:
            firing.failures += 1
            allowed = int(schedule.target["RetryPolicy"].get("MaximumRetryAttempts", 185))
            if firing.failures <= min(allowed, MOST_ATTEMPTS - 1):
                firing.next_try = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (firing.failures - 1))
                return
            log.warning("schedule %s failed for good: %s", schedule.name, error)
            _bury(account, region, schedule, firing, error)
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


def _call_target(account: str, region: str, schedule: Schedule) -> None:
    """Do what the scheduler does with the target's role: one API call, if the role may."""
    target = schedule.target
    session = _assume(account, region, schedule)
    if target["Arn"] != TERMINATE_INSTANCES:
        raise TargetError("ValidationException", f"The embedded AWS does not know the target {target['Arn']}.")
    asked = json.loads(target.get("Input") or "{}")
    instance_ids = asked.get("InstanceIds") or []
    if not instance_ids:
        raise TargetError("MissingParameter", "The request must contain the parameter InstanceId")
    for need in existing("TerminateInstances", region, account, instance_ids):
        _require(session, need, "UnauthorizedOperation")
    note_how(ec2_backends[account][region], instance_ids, asked)
    ec2_backends[account][region].terminate_instances(instance_ids)


def _assume(account: str, region: str, schedule: Schedule) -> Principal:
    """Return a session of the target's role, if its trust policy lets the scheduler take it for this group."""
    role_arn = str(schedule.target["RoleArn"])
    role = find_role(role_arn)
    group = f"arn:aws:scheduler:{region}:{account}:schedule-group/{schedule.group_name}"
    source: dict[str, str] = {"aws:sourceaccount": account, "aws:sourcearn": group}
    if role is None or not service_may_assume(role, "scheduler.amazonaws.com", source):
        raise TargetError("AccessDeniedException", f"EventBridge Scheduler may not assume {role_arn}.")
    return role_session(account, role_arn, schedule.name)


def _require(session: Principal, need: Need, code: str) -> None:
    context = {**session.context, "aws:securetransport": "true", "aws:principalisawsservice": "false"}
    decision = decide_and_note(replace(need, context={**context, **need.context}), session)
    if not decision.allowed:
        raise TargetError(
            code,
            f"User: {session.arn} is not authorized to perform: {need.action} on resource: {need.resource} {decision.why}",
        )


def _bury(account: str, schedule_region: str, schedule: Schedule, firing: _Firing, error: Exception) -> None:
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
        _require(_assume(account, schedule_region, schedule), Need("sqs:SendMessage", arn), "AccessDenied")
        sqs_backends[owner][region].send_message(
            name,
            schedule.target.get("Input") or "{}",
            message_attributes={key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()},
        )
    except Exception:
        log.exception("the dead-letter queue %s did not take the request of %s", arn, schedule.name)
