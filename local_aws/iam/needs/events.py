"""What a request to EventBridge needs.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.calls import Call
from local_aws.iam.policies import Need

_OF_RULE = frozenset(
    [
        "DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "ListTargetsByRule", "PutRule", "PutTargets",
        "RemoveTargets",
    ]
)  # fmt: skip
_OF_BUS = frozenset(["CreateEventBus", "DeleteEventBus", "DescribeEventBus"])
_OF_ALL = frozenset(
    ["ListEventBuses", "ListRuleNamesByTarget", "ListRules", "PutPermission", "RemovePermission", "TestEventPattern"]
)
_OF_TAGS = frozenset(["ListTagsForResource", "TagResource", "UntagResource"])


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    prefix = f"arn:aws:events:{call.region}:{account}"
    if action in _OF_ALL:
        return [Need(f"events:{action}", "*")]
    if action in _OF_TAGS:
        return [Need(f"events:{action}", given.get("ResourceARN", ""))]
    if action in _OF_BUS:
        bus = f"{prefix}:event-bus/{_name(given.get('Name', ''))}"
        tags = [Need("events:TagResource", bus)] if action == "CreateEventBus" and given.get("Tags") else []
        return [Need(f"events:{action}", bus), *tags]
    if action == "PutEvents":
        return [
            Need("events:PutEvents", f"{prefix}:event-bus/{_name(entry.get('EventBusName', ''))}", _of_entry(entry))
            for entry in json.loads(given.get("Entries", "[]"))
        ]
    if action not in _OF_RULE:
        return None
    bus_name = _name(given.get("EventBusName", ""))
    path = "" if bus_name == "default" else f"{bus_name}/"
    rule = f"{prefix}:rule/{path}{given.get('Name') or given.get('Rule', '')}"
    targets = json.loads(given.get("Targets", "[]")) if action == "PutTargets" else []
    context: dict[str, str | list[str]] = (
        {"events:targetarn": [one.get("Arn", "") for one in targets]} if targets else {}
    )
    needs = [Need(f"events:{action}", rule, context)]
    roles = {one["RoleArn"] for one in targets if one.get("RoleArn")}
    roles |= {given["RoleArn"]} if action == "PutRule" and given.get("RoleArn") else set()
    passed: dict[str, str | list[str]] = {"iam:passedtoservice": "events.amazonaws.com"}
    needs += [Need("iam:PassRole", role, passed) for role in sorted(roles)]
    if action == "PutRule" and given.get("Tags"):
        needs.append(Need("events:TagResource", rule))
    return needs


def _of_entry(entry: dict[str, Any]) -> dict[str, str | list[str]]:
    return {"events:source": str(entry.get("Source", "")), "events:detail-type": str(entry.get("DetailType", ""))}


def _name(bus: str) -> str:
    """A bus's name; requests have that or its ARN, or nothing for the default bus."""
    return bus.rsplit("/", 1)[-1] or "default"
