"""What a request to CloudWatch needs."""

from __future__ import annotations

import json

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need

_ON_ALARMS = frozenset(
    {"DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions", "DescribeAlarms", "DescribeAlarmHistory"}
)
_ON_DASHBOARD = frozenset({"GetDashboard", "PutDashboard", "DeleteDashboards"})
_ON_ANYTHING = frozenset(
    {
        "PutMetricData",
        "GetMetricData",
        "GetMetricStatistics",
        "ListMetrics",
        "DescribeAlarmsForMetric",
        "ListDashboards",
    }
)


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    if action not in operations_of("cloudwatch"):
        return None
    alarm = f"arn:aws:cloudwatch:{call.region}:{account}:alarm:"
    if action in _ON_ANYTHING:
        context = (
            {"cloudwatch:namespace": given["Namespace"]} if action == "PutMetricData" and "Namespace" in given else {}
        )
        return [Need(f"cloudwatch:{action}", "*", context)]
    if action in ("PutMetricAlarm", "PutCompositeAlarm", "SetAlarmState"):
        needs = [Need(f"cloudwatch:{action}", alarm + given.get("AlarmName", ""))]
        if given.get("Tags", "[]") != "[]" or "Tags.member.1.Key" in given:
            needs.append(Need("cloudwatch:TagResource", alarm + given.get("AlarmName", "")))
        return needs
    if action in _ON_ALARMS:
        names = _listed(given, "AlarmNames") or ([given["AlarmName"]] if "AlarmName" in given else ["*"])
        return [Need(f"cloudwatch:{action}", alarm + name) for name in names]
    if action in _ON_DASHBOARD:
        names = _listed(given, "DashboardNames") or [given.get("DashboardName", "")]
        return [Need(f"cloudwatch:{action}", f"arn:aws:cloudwatch::{account}:dashboard/{name}") for name in names]
    if action in ("ListTagsForResource", "TagResource", "UntagResource"):
        return [Need(f"cloudwatch:{action}", given.get("ResourceARN", "*"))]
    return None


def _listed(given: dict[str, str], name: str) -> list[str]:
    """In JSON, or one parameter for each where a client still speaks the query protocol."""
    if name in given:
        return [str(one) for one in json.loads(given[name])]
    return [value for key, value in given.items() if key.startswith(f"{name}.member.")]
