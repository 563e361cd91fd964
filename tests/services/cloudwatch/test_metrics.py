"""Metrics: what is published, and the statistics of it."""

from __future__ import annotations

import random
import statistics as oracle
from datetime import datetime, timedelta
from typing import Any

import numpy
import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws


@pytest.fixture
def start(aws: EmbeddedAws) -> datetime:
    """The beginning of an hour that is over."""
    return aws.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


def statistics_of(aws: EmbeddedAws, start: datetime, *names: str, **given: Any) -> list[dict[str, Any]]:
    kind = "ExtendedStatistics" if names[0].startswith("p") else "Statistics"
    whole = {
        "Namespace": "App",
        "MetricName": "m",
        "StartTime": start,
        "EndTime": start + timedelta(hours=1),
        "Period": 300,
        **given,
    }
    found = aws.client("cloudwatch").get_metric_statistics(**whole, **{kind: list(names)})["Datapoints"]
    return sorted(found, key=lambda point: point["Timestamp"])


def test_statistics_are_those_of_the_values(aws: EmbeddedAws, start: datetime) -> None:
    random.seed(1)
    cloudwatch, everything = aws.client("cloudwatch"), []
    for _ in range(20):
        values = [round(random.uniform(0, 100), 3) for _ in range(10)]
        counts = [float(random.randint(1, 5)) for _ in values]
        everything += [value for value, count in zip(values, counts, strict=True) for _ in range(int(count))]
        when = start + timedelta(seconds=random.uniform(0, 299))
        datum = {"MetricName": "m", "Values": values, "Counts": counts, "Timestamp": when, "Unit": "Milliseconds"}
        cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])
    [point] = statistics_of(aws, start, "Sum", "Average", "Minimum", "Maximum", "SampleCount")
    assert point["Sum"] == pytest.approx(sum(everything)) and point["Average"] == pytest.approx(
        oracle.fmean(everything)
    )
    assert (point["Minimum"], point["Maximum"]) == (min(everything), max(everything))
    assert (point["SampleCount"], point["Unit"]) == (len(everything), "Milliseconds")
    [point] = statistics_of(aws, start, "p50", "p95", "p99.9")
    for name, value in point["ExtendedStatistics"].items():
        assert value == pytest.approx(numpy.percentile(everything, float(name[1:])))


def test_a_metric_is_its_dimensions(aws: EmbeddedAws, start: datetime) -> None:
    cloudwatch = aws.client("cloudwatch")
    for value, dimensions in ((1, {}), (2, {"a": "1"}), (4, {"a": "1", "b": "2"})):
        pairs = [{"Name": name, "Value": text} for name, text in dimensions.items()]
        cloudwatch.put_metric_data(
            Namespace="App", MetricData=[{"MetricName": "m", "Value": value, "Dimensions": pairs, "Timestamp": start}]
        )
    assert [p["Sum"] for p in statistics_of(aws, start, "Sum")] == [1.0]
    both = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    assert [p["Sum"] for p in statistics_of(aws, start, "Sum", Dimensions=both)] == [4.0]
    assert statistics_of(aws, start, "Sum", Dimensions=both[:1]) == []
    listed = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace="App", Dimensions=[{"Name": "a", "Value": "1"}]
    )
    assert len([metric for page in listed for metric in page["Metrics"]]) == 2


def test_units_and_statistic_sets(aws: EmbeddedAws, start: datetime) -> None:
    cloudwatch = aws.client("cloudwatch")
    whole = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}
    for data in ({"StatisticValues": whole, "Unit": "Count"}, {"Value": 100.0, "Unit": "Seconds"}):
        cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Timestamp": start, **data}])
    [point] = statistics_of(aws, start, "Average", "Maximum", Unit="Count")
    assert (point["Average"], point["Maximum"]) == (2.5, 4.0)
    [point] = statistics_of(aws, start, "SampleCount")
    assert point["SampleCount"] == 5.0


def test_data_in_the_clocks_periods_with_math(aws: EmbeddedAws, start: datetime) -> None:
    cloudwatch = aws.client("cloudwatch")
    for minute, errors, calls in ((1, 1, 10), (4, 2, 10), (6, None, 5), (11, 3, 4)):
        when = start + timedelta(minutes=minute)
        for name, value in (("Errors", errors), ("Calls", calls)):
            if value is not None:
                cloudwatch.put_metric_data(
                    Namespace="App", MetricData=[{"MetricName": name, "Value": value, "Timestamp": when}]
                )

    def stat(name: str) -> dict[str, Any]:
        return {"Metric": {"Namespace": "App", "MetricName": name}, "Period": 300, "Stat": "Sum"}

    def data(**expressions: str) -> dict[str, list[float]]:
        queries: list[dict[str, Any]] = [
            {"Id": "e", "MetricStat": stat("Errors"), "ReturnData": False},
            {"Id": "c", "MetricStat": stat("Calls"), "ReturnData": False},
        ]
        queries += [{"Id": name, "Expression": text} for name, text in expressions.items()]
        found = cloudwatch.get_metric_data(
            MetricDataQueries=queries,
            StartTime=start,
            EndTime=start + timedelta(minutes=15),
            ScanBy="TimestampAscending",
        )
        return {one["Id"]: one["Values"] for one in found["MetricDataResults"]}

    assert data(
        rate="100 * e / c", filled="FILL(e, 0) / c", total="SUM(METRICS())", worst="MAX([e, c])", high="IF(c > 4, 1, 0)"
    ) == {
        "rate": [15.0, 75.0],
        "filled": [0.15, 0.0, 0.75],
        "total": [23.0, 5.0, 7.0],
        "worst": [20.0, 5.0, 4.0],
        "high": [1.0, 1.0, 0.0],
    }
    assert data(a="b + 1", b="c * 2") == {"a": [41.0, 11.0, 9.0], "b": [40.0, 10.0, 8.0]}
    with pytest.raises(ClientError, match="does not know RATE in metric math"):
        data(x="RATE(e)")


def test_what_is_refused(aws: EmbeddedAws, start: datetime) -> None:
    for given, said in (
        ({"Period": 61}, "multiple of 60"),
        ({"Period": 1}, "exceeds the limit of 1,440"),
        ({"EndTime": start}, "must be less than the parameter EndTime"),
    ):
        with pytest.raises(ClientError, match=said):
            statistics_of(aws, start, "Sum", **given)
    with pytest.raises(ClientError, match="does not know the statistic tm99"):
        aws.client("cloudwatch").get_metric_data(
            StartTime=start,
            EndTime=start + timedelta(hours=1),
            MetricDataQueries=[
                {
                    "Id": "a",
                    "MetricStat": {"Metric": {"Namespace": "A", "MetricName": "m"}, "Period": 60, "Stat": "tm99"},
                }
            ],
        )
