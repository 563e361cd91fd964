"""Metrics that are embedded in log events (EMF).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import recording

log = logging.getLogger("local_aws.logs")

_MOST_DIMENSIONS, _MOST_METRICS, _MOST_VALUES = 30, 100, 100


def extract(aws: Aws, stream: Any, events: list[Any]) -> None:
    """Record what is embedded in new events. Hold the lock. A document that breaks the specification gives nothing."""
    for event in events:
        if '"CloudWatchMetrics"' not in event.message:
            continue
        try:
            for namespace, data in metrics_in(event.message):
                recording.record(aws, namespace, data, stream.region)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("no metric from an event of %s: %s", stream.log_stream_name, error)


def metrics_in(message: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield namespaces with data as PutMetricData takes them.

    ValueError, KeyError, … for what is no embedded metric.
    """
    start = message.index("{")  # the Lambda runtime may put a time and a request id before it
    document = json.loads(message[start:])
    metadata = document["_aws"]
    when = datetime.fromtimestamp(int(metadata["Timestamp"]) / 1000, timezone.utc)
    for directive in metadata["CloudWatchMetrics"]:
        if len(directive["Metrics"]) > _MOST_METRICS:
            raise ValueError(f"more than {_MOST_METRICS} metrics")
        data = []
        for names in directive["Dimensions"] or [[]]:
            if len(names) > _MOST_DIMENSIONS:
                raise ValueError(f"more than {_MOST_DIMENSIONS} dimensions")
            dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
            for metric in directive["Metrics"]:
                given = document.get(metric["Name"])
                values = given if isinstance(given, list) else [given]
                if len(values) > _MOST_VALUES or any(
                    isinstance(v, bool) or not isinstance(v, int | float) for v in values
                ):
                    continue
                data.append(
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Values": [float(value) for value in values],
                        "Unit": metric.get("Unit", "None"),
                        "Timestamp": when,
                    }
                )
        yield str(directive["Namespace"]), data
