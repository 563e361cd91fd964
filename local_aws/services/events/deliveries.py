"""Events on their way from a bus to the targets of its rules: matching, attempts, dead letters.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import functools
import json
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from moto.events.models import EventBus, Rule, events_backends

from local_aws.iam.principals import ACCOUNT
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.events import inputs, patterns, targets
from local_aws.services.retries import Patience, patience

log = logging.getLogger("local_aws.events")


@dataclass
class Delivery:
    """One event for one target. What is under way is kept in moto's backend, so that a new daemon goes on with it."""

    id: str
    event: dict[str, Any]
    rule_arn: str
    rule_name: str
    target: dict[str, Any]
    patience: Patience


def new_event(
    region: str,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
    moment: float,
) -> dict[str, Any]:
    """Return an event as EventBridge passes it on.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


class Deliveries:
    """Takes events onto buses."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def take(self, bus: EventBus, event: dict[str, Any]) -> None:
        """Send an event to the targets of the rules that it fits. Returns at once. Hold the lock."""
        for rule in list(bus.rules.values()):
            pattern = rule.event_pattern.get_pattern()
            if rule.state != "DISABLED" and pattern and patterns.matches(pattern, event):
                self.send(rule, event)

    def send(self, rule: Rule, event: dict[str, Any]) -> None:
        """Send an event to the targets of a rule. Returns at once. Hold the lock."""
        now = self._aws.clock.now()
        for target in rule.targets:
            if targets.kind_of(target["Arn"]) is None:  # an archive, moto's own kind of target
                rule._send_to_events_archive(target["Arn"].split("archive/")[-1], event)
                continue
            patient = patience(target.get("RetryPolicy"), now)
            delivery = Delivery(str(uuid.uuid4()), event, rule.arn, rule.name, dict(target), patient)
            self._under_way(rule.region_name)[delivery.id] = delivery
            self._attempt_at(now, delivery)

    def resume(self) -> None:
        """Go on after a crash: what was under way is tried again."""
        for regions in list(events_backends.values()):
            for region in list(regions):
                for delivery in list(self._under_way(region).values()):
                    self._attempt_at(self._aws.clock.now(), delivery)

    def _under_way(self, region: str) -> dict[str, Delivery]:
        backend = events_backends[ACCOUNT][region]
        if not hasattr(backend, "local_aws_under_way"):
            backend.local_aws_under_way = {}
        return backend.local_aws_under_way  # type: ignore[no-any-return]

    def _attempt_at(self, when: float, delivery: Delivery) -> None:
        attempt = functools.partial(self._attempt, delivery)
        self._aws.clock.call_at(when, f"an event of rule {delivery.rule_name}", attempt)

    def _attempt(self, delivery: Delivery) -> None:
        try:
            self._send(delivery)
        except NotDelivered as error:
            log.info("%s did not take an event of %s: %s", delivery.target["Arn"], delivery.rule_name, error)
            patient = delivery.patience
            again = None if error.for_good else patient.try_again_at(self._aws.clock.now())
            if again is not None:
                self._attempt_at(again, delivery)
                return
            self._bury(delivery, error)
        with self._aws.lock:
            self._under_way(delivery.rule_arn.split(":")[3]).pop(delivery.id, None)

    def _send(self, delivery: Delivery) -> None:
        target, rule_arn, name = delivery.target, delivery.rule_arn, delivery.rule_name
        if targets.kind_of(target["Arn"]) != "events":
            text = inputs.text_for(target, delivery.event, name, rule_arn)
            targets.send(self._aws, target, text, rule_arn, name, delivery.event["id"])
            return
        region, bus_name = target["Arn"].split(":")[3], target["Arn"].rsplit("/", 1)[1]
        with self._aws.lock:
            bus = events_backends[ACCOUNT][region].event_buses.get(bus_name)
            if bus is None:
                raise NotDelivered("NO_RESOURCE", f"Event bus {bus_name} does not exist.", for_good=True)
            targets.may_send_to_bus(target, rule_arn, name, bus.policy)
            self.take(bus, delivery.event)

    def _bury(self, delivery: Delivery, error: NotDelivered) -> None:
        """Put the event into the target's dead-letter queue, if that lets EventBridge in for the rule."""
        arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        log.warning("rule %s gave up an event for %s: %s", delivery.rule_name, delivery.target["Arn"], error)
        if not arn:
            return
        said = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": str(error),
            "RETRY_ATTEMPTS": str(max(0, delivery.patience.failures - 1)),
        }
        if delivery.patience.exhausted:
            said["EXHAUSTED_RETRY_CONDITION"] = delivery.patience.exhausted
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
        try:
            as_service.send_message(
                self._aws,
                arn,
                json.dumps(delivery.event),
                service=targets.SERVICE,
                source_arn=delivery.rule_arn,
                attributes=attributes,
            )
        except NotDelivered as refused:
            log.warning("the dead-letter queue %s did not take the event: %s", arn, refused)
