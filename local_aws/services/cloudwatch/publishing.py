"""Metrics of what happens often, published together: the requests of an API, a function's invocations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from local_aws.services.aws import Aws
from local_aws.services.batches import Batches
from local_aws.services.cloudwatch.recording import record


@dataclass(frozen=True)
class _Metric:
    region: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


class Metrics:
    """The metrics of one namespace. Thread-safe."""

    def __init__(self, aws: Aws, namespace: str) -> None:
        self._aws = aws
        self._namespace = namespace
        self._batches: Batches[_Metric, float] = Batches(aws, f"metrics of {namespace}", self._deliver)

    def add(self, region: str, dimensions: dict[str, str], values: dict[str, float]) -> None:
        """Publish a value of each of these metrics soon."""
        for name, value in values.items():
            self._batches.add(_Metric(region, name, tuple(dimensions.items())), [value])

    def _deliver(self, metric: _Metric, values: list[float]) -> None:
        counts = Counter(values)
        milliseconds = metric.name.endswith(("Latency", "Duration"))
        data = {
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            "Values": list(counts),
            "Counts": [float(count) for count in counts.values()],
            "Unit": "Milliseconds" if milliseconds else "Count",
        }
        record(self._aws, self._namespace, [data], metric.region)
