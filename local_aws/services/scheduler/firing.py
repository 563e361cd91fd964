"""Schedules fire: each has one timer, for what is due next, and each firing is tried until its retry policy is used up.

What moto's objects keep (in attributes local_aws_…) is all that a new daemon needs to go on after a crash.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import functools
import json
import logging
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from local_aws.clock import Timer
from local_aws.iam.service_roles import NotAssumable
from local_aws.services.aws import Aws
from local_aws.services.courier import Courier, NotDelivered
from local_aws.services.retries import Patience, patience
from local_aws.services.role_clients import client_in_role
from local_aws.services.scheduler import expressions, targets

log = logging.getLogger("local_aws.scheduler")
SERVICE = "scheduler.amazonaws.com"


@dataclass
class Firing:
    """One invocation of a schedule's target, until it succeeds or is given up."""

    id: str
    schedule: Schedule
    scheduled: float
    patience: Patience

    @property
    def what(self) -> str:
        return f"a firing of schedule {self.schedule.name}"


class Firings:
    """The timers of all schedules."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._timers: dict[str, Timer] = {}  # by the schedule's ARN
        self._courier = Courier(aws, send=self._call, give_up=self._bury, kept=_under_way, ended=self._end)
        aws.at_reset(self._timers.clear)

    def plan(self, schedule: Schedule) -> None:
        """Set the timer of a schedule that is new or changed. Hold the lock."""
        schedule.local_aws_next = self._first_due(schedule)
        self._set_timer(schedule)

    def forget(self, schedule: Schedule) -> None:
        """Cancel what a deleted schedule would do. What it is trying again ends with the next attempt. Hold the lock."""
        timer = self._timers.pop(schedule.arn, None)
        if timer:
            timer.cancel()

    def resume(self) -> None:
        """Go on after a crash: what was due meanwhile fires once, and what was being tried is tried again."""
        for regions in list(scheduler_backends.values()):
            for backend in list(regions.values()):
                for group in backend.schedule_groups.values():
                    for schedule in group.schedules.values():
                        self._leave_out_missed(schedule)
                        self._set_timer(schedule)
                        self._courier.resume(_under_way_of(schedule).values())

    def _leave_out_missed(self, schedule: Schedule) -> None:
        """Of several that were due while nobody was there, keep the last."""
        now = self._aws.clock.now()
        while (due := schedule.local_aws_next) is not None and due <= now:
            later = self._next(schedule, due)
            if later is None or later > now:
                return
            schedule.local_aws_next = later

    def _first_due(self, schedule: Schedule) -> float | None:
        now = self._aws.clock.now()
        zone = expressions.zone_of(schedule.schedule_expression_timezone)
        at = expressions.once(schedule.schedule_expression, zone)
        if at is not None:
            # A changed schedule does not fire again for a time that it has fired for.
            return at if at != getattr(schedule, "local_aws_fired", None) else None
        start = float(schedule.start_date or 0.0)
        schedule.local_aws_origin = start or now  # what a rate counts from: the start, or at once
        return self._next(schedule, max(now, start) - 1e-6)

    def _next(self, schedule: Schedule, after: float) -> float | None:
        zone = expressions.zone_of(schedule.schedule_expression_timezone)
        if expressions.once(schedule.schedule_expression, zone) is not None:
            return None
        due = expressions.recurrence(schedule.schedule_expression, zone, schedule.local_aws_origin)(after)
        return None if due is None or (schedule.end_date and due > float(schedule.end_date)) else due

    def _set_timer(self, schedule: Schedule) -> None:
        self.forget(schedule)
        due = schedule.local_aws_next
        if due is None or schedule.state != "ENABLED":
            return
        window = schedule.flexible_time_window or {}
        late = random.random() * 60 * int(window.get("MaximumWindowInMinutes") or 0)
        fire = functools.partial(self._fire, schedule, due)
        self._timers[schedule.arn] = self._aws.clock.call_at(due + late, f"schedule {schedule.name}", fire)

    def _fire(self, schedule: Schedule, due: float) -> None:
        with self._aws.lock:
            if not _exists(schedule) or schedule.state != "ENABLED" or schedule.local_aws_next != due:
                return
            schedule.local_aws_fired = due
            schedule.local_aws_next = self._next(schedule, due)
            self._set_timer(schedule)
            patient = patience(schedule.target.get("RetryPolicy"), due)
            self._courier.take(Firing(str(uuid.uuid4()), schedule, due, patient))

    def _call(self, firing: Firing) -> None:
        schedule = firing.schedule
        if not _exists(schedule):
            return
        try:
            text = _input(firing)
            targets.call(schedule.target, text, self._clients(schedule), self._aws.endpoint, _region(schedule))
        except Exception as error:
            raise NotDelivered(*_said(error)) from error

    def _end(self, firing: Firing) -> None:
        schedule = firing.schedule
        over = schedule.local_aws_next is None and not _under_way_of(schedule)
        if over and schedule.action_after_completion == "DELETE" and _exists(schedule):
            self.forget(schedule)
            _backend(schedule).schedule_groups[schedule.group_name].delete_schedule(schedule.name)

    def _clients(self, schedule: Schedule) -> targets.ClientOf:
        role_arn = str(schedule.target["RoleArn"])
        group = schedule.arn.replace(":schedule/", ":schedule-group/").rsplit("/", 1)[0]

        def client_of(api: str, region: str) -> Any:
            return client_in_role(
                self._aws, api, role_arn, principal=SERVICE, session_name=schedule.name, source_arn=group, region=region
            )

        return client_of

    def _bury(self, firing: Firing, error: NotDelivered) -> None:
        """Send the request to the dead-letter queue, with the attributes that AWS gives it."""
        schedule = firing.schedule
        arn = str(schedule.target.get("DeadLetterConfig", {}).get("Arn", ""))
        if not arn:
            return
        attributes = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": str(error),
            "EXECUTION_ID": firing.id,
            "EXHAUSTED_RETRY_CONDITION": firing.patience.exhausted,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(firing.patience.failures - 1),
            "SCHEDULED_TIME": _moment(firing.scheduled),
            "SCHEDULE_ARN": schedule.arn,
            "TARGET_ARN": schedule.target["Arn"],
        }
        _, _, _, region, owner, name = arn.split(":")
        try:
            self._clients(schedule)("sqs", region).send_message(
                QueueUrl=f"{self._aws.endpoint}/{owner}/{name}",
                MessageBody=_input(firing) or "{}",
                MessageAttributes={key: {"DataType": "String", "StringValue": one} for key, one in attributes.items()},
            )
        except Exception:
            log.exception("the dead-letter queue %s did not take the request of %s", arn, schedule.name)


def _under_way(firing: Firing) -> dict[str, Firing]:
    return _under_way_of(firing.schedule)


def _under_way_of(schedule: Schedule) -> dict[str, Firing]:
    if not hasattr(schedule, "local_aws_under_way"):
        schedule.local_aws_under_way = {}
    return schedule.local_aws_under_way  # type: ignore[no-any-return]


def _input(firing: Firing) -> str:
    """What the target is given.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    schedule = firing.schedule
    text, arn = schedule.target.get("Input"), schedule.target["Arn"]
    if not text:
        return "" if ":aws-sdk:" in arn or ":ecs:" in arn else json.dumps(_own_event(firing))
    for name, value in (
        ("schedule-arn", schedule.arn),
        ("scheduled-time", _moment(firing.scheduled)),
        ("execution-id", firing.id),
        ("attempt-number", str(firing.patience.failures + 1)),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return str(text)


def _own_event(firing: Firing) -> dict[str, Any]:
    """What a templated target is given by a schedule without an Input."""
    schedule = firing.schedule
    _, _, _, region, account, _ = schedule.arn.split(":", 5)
    return {
        "version": "0",
        "id": firing.id,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": _moment(firing.scheduled),
        "region": region,
        "resources": [schedule.arn],
        "detail": "{}",
    }


def _said(error: Exception) -> tuple[str, str]:
    """An error's code and message, as the service gave them."""
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if isinstance(error, NotAssumable):
        return "AccessDeniedException", str(error)
    return getattr(error, "code", "") or type(error).__name__, str(error)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _region(schedule: Schedule) -> str:
    return str(schedule.arn.split(":")[3])


def _backend(schedule: Schedule) -> EventBridgeSchedulerBackend:
    _, _, _, region, account, _ = schedule.arn.split(":", 5)
    return scheduler_backends[account][region]


def _exists(schedule: Schedule) -> bool:
    """Whether this is still the schedule of that name: one that was deleted and made again is another."""
    group = _backend(schedule).schedule_groups.get(schedule.group_name)
    return group is not None and group.schedules.get(schedule.name) is schedule
