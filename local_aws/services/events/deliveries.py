"""Events on their way from a bus to the targets of its rules: matching, attempts, dead letters.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from moto.events.models import EventBus, Rule, events_backends

from local_aws.iam.principals import ACCOUNT
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.courier import Courier
from local_aws.services.events import inputs, patterns, targets
from local_aws.services.retries import Patience, patience


@dataclass
class Delivery:
    """One event for one target."""

    id: str
    event: dict[str, Any]
    rule_arn: str
    rule_name: str
    target: dict[str, Any]
    patience: Patience
    forwarded: bool  # it came from another bus

    @property
    def what(self) -> str:
        return f"an event of rule {self.rule_name} for {self.target['Arn']}"


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
        self._courier = Courier(aws, send=self._send, give_up=self._bury, kept=_on_their_way)

    def take(self, bus: EventBus, event: dict[str, Any], *, forwarded: bool = False) -> None:
        """Send an event to the targets of the rules that it fits. Returns at once. Hold the lock."""
        for rule in list(bus.rules.values()):
            pattern = rule.event_pattern.get_pattern()
            if rule.state != "DISABLED" and pattern and patterns.matches(pattern, event):
                self.send(rule, event, forwarded=forwarded)

    def send(self, rule: Rule, event: dict[str, Any], *, forwarded: bool = False) -> None:
        """Send an event to the targets of a rule. Returns at once. Hold the lock."""
        now = self._aws.clock.now()
        for target in rule.targets:
            if targets.kind_of(target["Arn"]) is None:  # moto's own rule for an archive
                archives = events_backends[ACCOUNT][rule.region_name].archives
                archives[rule.name.removeprefix("Events-Archive-")].events.append(event)
                continue
            patient = patience(target.get("RetryPolicy"), now)
            given = (event, rule.arn, rule.name, dict(target), patient, forwarded)
            self._courier.take(Delivery(str(uuid.uuid4()), *given))

    def resume(self) -> None:
        """Go on after a crash."""
        for regions in list(events_backends.values()):
            for backend in list(regions.values()):
                self._courier.resume(getattr(backend, "local_aws_on_their_way", {}).values())

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
            if (
                delivery.forwarded
            ):  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html, the note
                said = "An event that came from another bus is not sent to a third."
                raise NotDelivered("THIRD_ACCOUNT_HOP_DETECTED", said, for_good=True)
            self.take(bus, delivery.event, forwarded=True)

    def _bury(self, delivery: Delivery, error: NotDelivered) -> None:
        """Put the event into the target's dead-letter queue, if that lets EventBridge in for the rule."""
        arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
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
        as_service.send_to_dead_letters(
            self._aws, arn, json.dumps(delivery.event), said, service=targets.SERVICE, source_arn=delivery.rule_arn
        )


def _on_their_way(delivery: Delivery) -> dict[str, Delivery]:
    backend = events_backends[ACCOUNT][delivery.rule_arn.split(":")[3]]
    if not hasattr(backend, "local_aws_on_their_way"):
        backend.local_aws_on_their_way = {}
    return backend.local_aws_on_their_way  # type: ignore[no-any-return]
