"""Rules with a schedule: a rate from the moment the rule was made, a cron in UTC.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import functools
import re

from moto.events.models import Rule, events_backends

from local_aws.clock import Timer
from local_aws.services.aws import Aws
from local_aws.services.events.deliveries import Deliveries, new_event
from local_aws.services.scheduler import expressions

_UTC = expressions.zone_of("UTC")


def is_valid(expression: str) -> bool:
    """Whether PutRule takes it. The unit of a rate must agree with its number."""
    rate = re.fullmatch(r"rate\((\d+) [a-z]+?(s?)\)", expression)
    if rate and (rate[1] == "1") == bool(rate[2]):
        return False
    try:
        expressions.recurrence(expression, _UTC, 0.0)
    except expressions.InvalidExpression:
        return False
    return True


class ScheduledRules:
    """The timers of rules with a schedule."""

    def __init__(self, aws: Aws, deliveries: Deliveries) -> None:
        self._aws = aws
        self._deliveries = deliveries
        self._timers: dict[str, Timer] = {}  # by the rule's ARN
        aws.at_reset(self._timers.clear)

    def plan(self, rule: Rule) -> None:
        """Set the timer of a rule that is new, changed or enabled. Hold the lock."""
        self.forget(rule)
        rule.local_aws_next = None
        if rule.scheduled_expression and rule.state != "DISABLED":
            rule.local_aws_origin = self._aws.clock.now()
            rule.local_aws_next = self._next(rule, rule.local_aws_origin)
            self._set_timer(rule)

    def forget(self, rule: Rule) -> None:
        """Cancel a rule's timer. Hold the lock."""
        timer = self._timers.pop(rule.arn, None)
        if timer:
            timer.cancel()

    def resume(self) -> None:
        """Go on after a crash. What was due meanwhile fires once."""
        now = self._aws.clock.now()
        for regions in list(events_backends.values()):
            for backend in list(regions.values()):
                for bus in backend.event_buses.values():
                    for rule in bus.rules.values():
                        due = getattr(rule, "local_aws_next", None)
                        if due is not None:
                            later = self._next(rule, now - 60) if due < now - 60 else None
                            rule.local_aws_next = later if later is not None and later <= now else due
                            self._set_timer(rule)

    @staticmethod
    def _next(rule: Rule, after: float) -> float | None:
        return expressions.recurrence(rule.scheduled_expression, _UTC, rule.local_aws_origin)(after)

    def _set_timer(self, rule: Rule) -> None:
        due = rule.local_aws_next
        if due is not None:
            fire = functools.partial(self._fire, rule, due)
            self._timers[rule.arn] = self._aws.clock.call_at(due, f"rule {rule.name}", fire)

    def _fire(self, rule: Rule, due: float) -> None:
        with self._aws.lock:
            bus = events_backends[rule.account_id][rule.region_name].event_buses.get(rule.event_bus_name)
            current = bus is not None and bus.rules.get(rule.name) is rule
            if not current or rule.state == "DISABLED" or rule.local_aws_next != due:
                return
            rule.local_aws_next = self._next(rule, max(due, self._aws.clock.now() - 60))
            self._set_timer(rule)
            self._deliveries.send(
                rule, new_event(rule.region_name, "aws.events", "Scheduled Event", {}, [rule.arn], due)
            )
