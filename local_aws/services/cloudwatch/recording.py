"""Metrics that the embedded AWS itself publishes: of executions, functions, log events."""

from __future__ import annotations

from typing import Any

from local_aws.home import REGION
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws


def record(aws: Aws, namespace: str, data: list[dict[str, Any]], region: str = REGION) -> None:
    """Publish `data` as PutMetricData takes them, with Timestamp as datetime, now unless given. Takes the lock."""
    with aws.lock:
        aws.open("cloudwatch")
        from moto.cloudwatch.models import cloudwatch_backends

        cloudwatch_backends[ACCOUNT][region].put_metric_data(namespace, data)


def count(
    aws: Aws, namespace: str, name: str, dimensions: dict[str, str], value: float = 1.0, unit: str = "Count"
) -> None:
    """Publish one value, now."""
    pairs = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    record(aws, namespace, [{"MetricName": name, "Dimensions": pairs, "Value": value, "Unit": unit}])


def withdraw(aws: Aws, namespace: str, name: str, when: float, region: str = REGION) -> None:
    """Take back a value without dimensions: the default of a metric filter, when its minute has a match after all."""
    with aws.lock:
        aws.open("cloudwatch")
        from local_aws.services.cloudwatch.series import series_of

        series = series_of(ACCOUNT, region).get((namespace, name, ()))
        if series is not None:
            series.remove_at(when)
