"""Alarms of CloudWatch, all of a stack in one pass.

The collection's module calls each alarm on an expression changed in every pass and does not see when the expression differs, and it
knows no tags.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chronos_training.core import aws

Json = dict[str, Any]
_STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")  # the others are percentiles
# What CloudWatch says of an alarm that nobody gave it: without these a changed alarm could not be told.
_UNSAID: Json = {"Dimensions": [], "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [], "Metrics": []}
_MINUTE = 60


def ensure_present(
    cloudwatch: Any,
    prefix: str,
    alarms: list[Json],
    topic: str,
    tags: dict[str, str],
    *,
    paused: bool = False,
    check_mode: bool,
) -> Json:
    """Put the alarms that differ, named after `prefix`, and their tags; `paused` ones tell nobody.

    Returns changed, names (of those) and diff.
    """
    want = [request(f"{prefix}-{one['name']}", one, topic) | {"ActionsEnabled": not paused} for one in alarms]
    before = _there(cloudwatch, prefix)
    differing = [one for one in want if not _same(one, before.get(one["AlarmName"]))]
    tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
    untagged = _untagged(cloudwatch, [before[one["AlarmName"]] for one in want if one["AlarmName"] in before], tags)
    if not check_mode:
        for one in differing:
            with aws.explained(f"put the alarm {one['AlarmName']}"):
                # Tags of an alarm that is there are ignored.
                new = {} if one["AlarmName"] in before else {"Tags": tag_list}
                cloudwatch.put_metric_alarm(**one, **new)
        for arn in untagged:
            with aws.explained(f"tag {arn}"):
                cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list)
    names = [one["AlarmName"] for one in differing]
    old = {name: _seen(one, before[name]) for name, one in zip(names, differing, strict=True) if name in before}
    diff = {"before": old, "after": dict(zip(names, differing, strict=True))}
    return {"changed": bool(differing or untagged), "names": names, "diff": diff}


def request(name: str, alarm: Json, topic: str) -> Json:
    """Return what PutMetricAlarm takes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html."""
    periods = alarm.get("periods", 1)
    found: Json = {
        "AlarmName": name,
        "AlarmDescription": alarm["says"].strip(),
        "ComparisonOperator": alarm["comparison"],
        "Threshold": float(alarm["threshold"]),
        "EvaluationPeriods": periods,
        "DatapointsToAlarm": alarm.get("breaching", periods),
        "TreatMissingData": alarm["missing"],
        "AlarmActions": [topic],
        "OKActions": [topic] if alarm.get("ok") else [],
        "InsufficientDataActions": [],
    }
    period = alarm.get("period", _MINUTE)
    if "expression" in alarm:
        parts = [_query(identity, metric, period) for identity, metric in alarm["metrics"].items()]
        result = {"Id": "result", "Expression": alarm["expression"], "Label": alarm["label"], "ReturnData": True}
        return found | {"Metrics": [*parts, result]}
    kind = "Statistic" if alarm["stat"] in _STATISTICS else "ExtendedStatistic"
    return found | _metric(alarm) | {kind: alarm["stat"], "Period": period}


def _query(identity: str, metric: Json, period: int) -> Json:
    stat = {"Metric": _metric(metric), "Period": period, "Stat": metric["stat"]}
    return {"Id": identity, "MetricStat": stat, "ReturnData": False}


def _metric(given: Json) -> Json:
    dimensions = [{"Name": key, "Value": value} for key, value in given["dimensions"].items()]
    return {"Namespace": given["namespace"], "MetricName": given["metric"], "Dimensions": dimensions}


def _there(cloudwatch: Any, prefix: str) -> dict[str, Json]:
    with aws.explained(f"look at the alarms of {prefix}"):
        pages = cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{prefix}-", AlarmTypes=["MetricAlarm"]
        )
        return {one["AlarmName"]: one for page in pages for one in page.get("MetricAlarms", [])}


def _same(want: Json, found: Json | None) -> bool:
    return found is not None and _in_order(want) == _in_order(_seen(want, found))


def _seen(want: Json, found: Json) -> Json:
    """Return of an alarm what we would say of it, and what we would not say and somebody did."""
    keys = {*want, *(key for key in ("Statistic", "ExtendedStatistic", "Unit", "Metrics") if found.get(key))}
    return {key: found.get(key, _UNSAID.get(key)) for key in keys}


def _in_order(thing: Any) -> str:
    """Dimensions and the parts of an expression have no order."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return sorted((ordered(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
        return value

    return json.dumps(ordered(thing), sort_keys=True)


def _untagged(cloudwatch: Any, found: list[Json], tags: dict[str, str]) -> list[str]:
    def lacks(arn: str) -> bool:
        with aws.explained(f"read the tags of {arn}"):
            listed = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
        return not tags.items() <= {tag["Key"]: tag["Value"] for tag in listed}.items()

    arns = [one["AlarmArn"] for one in found]
    with ThreadPoolExecutor(8) as pool:
        return [arn for arn, wanting in zip(arns, pool.map(lacks, arns), strict=True) if wanting]
