"""Metrics in AWS/Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.services.aws import Aws
from local_aws.services.awslambda.environment import Result
from local_aws.services.awslambda.functions import FunctionName
from local_aws.services.cloudwatch.publishing import Metrics


class Measured:
    """What is counted of functions."""

    def __init__(self, aws: Aws) -> None:
        self._metrics = Metrics(aws, "AWS/Lambda")

    def invoked(self, named: FunctionName, result: Result, running: int) -> None:
        """A function has run, well or not."""
        values = {"Invocations": 1.0, "Errors": float(bool(result.error)), "Duration": round(result.duration, 2)}
        values |= {"Throttles": 0.0, "ConcurrentExecutions": float(running)}
        for dimensions in _dimensions(named, result.version):
            self._metrics.add(named.region, dimensions, values)

    def throttled(self, named: FunctionName) -> None:
        """There were too many."""
        self.counted(named, "Throttles")

    def counted(self, named: FunctionName, metric: str) -> None:
        """One of something."""
        for dimensions in _dimensions(named, ""):
            self._metrics.add(named.region, dimensions, {metric: 1.0})


def _dimensions(named: FunctionName, version: str) -> Iterator[dict[str, str]]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html."""
    function = {"FunctionName": named.name}
    yield function
    if named.qualifier:
        resource = {**function, "Resource": f"{named.name}:{named.qualifier}"}
        yield resource
        if version and version != named.qualifier:  # of an alias: how its two versions do
            yield {**resource, "ExecutedVersion": version}
