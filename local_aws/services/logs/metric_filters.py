"""Metric filters: a number for each event that matches.

moto 5.2.5 stores them (a second time under the same name, for each PutMetricFilter) and evaluates none.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import recording
from local_aws.services.logs import filter_patterns
from local_aws.services.patching import replace

_MOST_DIMENSIONS = 3


def install() -> None:
    """Let moto check a filter, and replace one of the same name."""
    put = models.LogsBackend.put_metric_filter
    delete = models.LogsBackend.delete_metric_filter

    def put_metric_filter(
        self: models.LogsBackend, filter_name: str, filter_pattern: str, log_group_name: str, transformations: Any
    ) -> None:
        if log_group_name not in self.groups:
            raise ResourceNotFoundException()
        try:
            filter_patterns.read(filter_pattern)
        except filter_patterns.InvalidPattern as error:
            raise InvalidParameterException(f"Invalid metric filter pattern: {error}") from None
        [transformation] = transformations
        value, dimensions = str(transformation["metricValue"]), transformation.get("dimensions", {})
        if not value.startswith("$") and filter_patterns.number(value) is None:
            raise InvalidParameterException("Invalid metric transformation: metricValue must be a number or a field.")
        if dimensions and "defaultValue" in transformation:
            raise InvalidParameterException(
                "Invalid metric transformation: dimensions and default value are mutually exclusive"
            )
        if len(dimensions) > _MOST_DIMENSIONS:
            raise InvalidParameterException(f"Invalid metric transformation: at most {_MOST_DIMENSIONS} dimensions")
        self.filters.delete_filter(filter_name, log_group_name)
        put(self, filter_name, filter_pattern, log_group_name, transformations)
        self.filters.metric_filters[-1]["creationTime"] = int(CLOCK.now() * 1000)

    def delete_metric_filter(self: models.LogsBackend, filter_name: str, log_group_name: str) -> None:
        if log_group_name not in self.groups or not any(
            one["filterName"] == filter_name for one in self.filters.get_matching_filters(log_group_name=log_group_name)
        ):
            raise ResourceNotFoundException("The specified metric filter does not exist.")
        delete(self, filter_name, log_group_name)

    replace(models.LogsBackend, put_metric_filter=put_metric_filter, delete_metric_filter=delete_metric_filter)


def evaluate(aws: Aws, stream: Any, events: list[Any]) -> None:
    """Record what the filters of the stream's group make of new events. Hold the lock."""
    backend = models.logs_backends[stream.account_id][stream.region]
    for one in backend.filters.metric_filters:
        if one["logGroupName"] == stream.log_group.name:
            # Kept beside the filter: DescribeMetricFilters answers all that is in it.
            minutes = backend.__dict__.setdefault("local_aws_minutes", {})
            which = (one["logGroupName"], one["filterName"], one.get("creationTime"))
            _evaluate_one(aws, one, stream.region, events, minutes.setdefault(which, {}))


def _evaluate_one(aws: Aws, one: dict[str, Any], region: str, events: list[Any], minutes: dict[int, bool]) -> None:
    """`minutes` are those with a match (True), and those without one, which have had the default instead."""
    match = filter_patterns.read(one["filterPattern"]).match
    [transformation] = one["metricTransformations"]
    name, namespace = transformation["metricName"], transformation["metricNamespace"]
    for event in events:
        fields = match(event.message)
        minute = int(event.timestamp) // 60_000
        value = None
        if fields is not None:
            value = _value(fields, str(transformation["metricValue"]))
        elif "defaultValue" in transformation and minute not in minutes:
            minutes[minute] = False
            value = float(transformation["defaultValue"])
        if value is None:
            continue
        if fields is not None and minutes.get(minute) is False:
            recording.withdraw(aws, namespace, name, minute * 60, region)
        if fields is not None:
            minutes[minute] = True
        when = event.timestamp / 1000 if fields is not None else minute * 60
        datum = {
            "MetricName": name,
            "Value": value,
            "Unit": transformation.get("unit", "None"),
            "Timestamp": datetime.fromtimestamp(when, timezone.utc),
        }
        dimensions = transformation.get("dimensions", {})
        if dimensions and fields is not None:
            values = {key: fields(selector) for key, selector in dimensions.items()}
            if all(found is not None for found in values.values()):  # an event without one of them has no dimensions
                datum["Dimensions"] = [{"Name": key, "Value": str(found)} for key, found in values.items()]
        recording.record(aws, namespace, [datum], region)
    while len(minutes) > 1500:
        del minutes[next(iter(minutes))]


def _value(fields: filter_patterns.Fields, wanted: str) -> float | None:
    return filter_patterns.number(fields(wanted) if wanted.startswith("$") else wanted)
