"""Opens EventBridge."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from moto.ec2.models.instances import Instance
from moto.events import notifications
from moto.events.models import EventBus, EventsBackend, Rule, events_backends
from moto.events.responses import EventsHandler

from local_aws.iam import decisions
from local_aws.iam.principals import ACCOUNT
from local_aws.moto_gaps import instance_states
from local_aws.services.aws import Aws
from local_aws.services.events import emit, patterns
from local_aws.services.events.deliveries import Deliveries, new_event
from local_aws.services.events.schedules import ScheduledRules

_open: list[Any] = []


def open_service(aws: Aws) -> None:
    """Close the gaps, let rules fire, and take the events of AWS's services."""
    deliveries = Deliveries(aws)
    rules = ScheduledRules(aws, deliveries)
    _open[:] = [deliveries, rules]
    _take_events(aws, deliveries)
    _keep_rules(rules)
    decisions.resource_policies["events"] = _policy_of

    def sink(region: str, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        event = new_event(region, source, detail_type, detail, resources, aws.clock.now())
        deliveries.take(events_backends[ACCOUNT][region].event_buses["default"], event)

    def tell(instance: Instance) -> None:
        region = instance.ec2_backend.region_name
        arn = f"arn:aws:ec2:{region}:{ACCOUNT}:instance/{instance.id}"
        detail = {"instance-id": instance.id, "state": instance.state}
        sink(region, "aws.ec2", "EC2 Instance State-change Notification", detail, [arn])

    emit.deliver_to(sink)
    instance_states.watchers.append(tell)


def resume(aws: Aws) -> None:
    """Go on after a crash."""
    for part in _open:
        part.resume()


def _take_events(aws: Aws, deliveries: Deliveries) -> None:
    def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._local_aws_put(entry) for entry in events]

    def put(self: EventsBackend, entry: dict[str, Any]) -> dict[str, Any]:
        wrong = _what_is_wrong(entry)
        if wrong:
            return wrong
        moment = _moment(entry["Time"]) if entry.get("Time") else aws.clock.now()
        detail, resources = json.loads(entry["Detail"]), entry.get("Resources") or []
        event = new_event(self.region_name, entry["Source"], entry["DetailType"], detail, resources, moment)
        deliveries.take(self.describe_event_bus(self._normalize_event_bus_arn(entry.get("EventBusName"))), event)
        return {"EventId": event["id"]}

    def send_to_targets(self: Rule, original_event: dict[str, Any], transform_input: bool = True) -> None:
        """For replays of archives."""
        if self.state != "DISABLED" and patterns.matches(self.event_pattern.get_pattern(), original_event):
            deliveries.send(self, original_event)

    EventsBackend._local_aws_put = put
    EventsBackend.put_events = put_events
    Rule.send_to_targets = send_to_targets
    # moto tells rules of CloudTrail that a bucket was made, in the middle of the request. There is no CloudTrail here.
    notifications._send_safe_notification = lambda *_: None


def _what_is_wrong(entry: dict[str, Any]) -> dict[str, str] | None:
    """Return what PutEvents answers for an entry that it does not take.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
    """
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            said = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": said}
    if entry["Source"].startswith("aws."):
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    try:
        if isinstance(json.loads(entry["Detail"]), dict):
            return None
    except ValueError:
        pass
    return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}


def _moment(given: Any) -> float:
    return float(given) if isinstance(given, (int, float)) else datetime.fromisoformat(str(given)).timestamp()


def _keep_rules(rules: ScheduledRules) -> None:
    put_rule, delete_rule = EventsBackend.put_rule, EventsBackend.delete_rule
    enable, disable = Rule.enable, Rule.disable

    def put_and_plan(self: EventsBackend, *arguments: Any, **named: Any) -> Rule:
        rule = put_rule(self, *arguments, **named)
        rules.plan(rule)
        return rule

    def delete_and_forget(self: EventsBackend, name: str, event_bus_arn: str | None) -> None:
        bus = self.event_buses.get(self._normalize_event_bus_arn(event_bus_arn))
        rule = bus.rules.get(name) if bus is not None else None
        delete_rule(self, name, event_bus_arn)
        if rule is not None:
            rules.forget(rule)

    def enable_and_plan(self: Rule) -> None:
        enable(self)
        rules.plan(self)

    def disable_and_forget(self: Rule) -> None:
        disable(self)
        rules.forget(self)

    def test_event_pattern(self: EventsHandler) -> str:
        pattern, event = patterns.check(self._get_param("EventPattern")), json.loads(self._get_param("Event"))
        return json.dumps({"Result": patterns.matches(pattern, event)})

    # Which expressions are valid is in strict/documented/events.py, which is asked before; moto's refuse right ones.
    EventsBackend._CRON_REGEX = EventsBackend._RATE_REGEX = re.compile("")
    EventsBackend.put_rule = put_and_plan
    EventsBackend.delete_rule = delete_and_forget
    Rule.enable = enable_and_plan
    Rule.disable = disable_and_forget
    EventsHandler.test_event_pattern = test_event_pattern


def _policy_of(arn: str) -> str | None:
    _, _, _, region, account, resource = arn.split(":", 5)
    kind, _, name = resource.partition("/")
    bus: EventBus | None = events_backends[account][region].event_buses.get(name) if kind == "event-bus" else None
    return bus.policy if bus is not None else None
