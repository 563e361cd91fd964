"""moto alone, without the embedded AWS: a test that fails says that moto has closed a gap, and that ours can go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


@pytest.fixture
def cloudwatch() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("cloudwatch", **KEYS)


def alarm(cloudwatch: Any, **given: Any) -> None:
    whole = {
        "AlarmName": "a",
        "Namespace": "n",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
    }
    cloudwatch.put_metric_alarm(**{**whole, **given})


def test_an_alarm_begins_as_ok_and_is_not_checked(cloudwatch: Any) -> None:
    alarm(cloudwatch, Period=90, AlarmActions=["no-arn"])
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK"


def test_a_changed_alarm_loses_its_state(cloudwatch: Any) -> None:
    alarm(cloudwatch)
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="x")
    alarm(cloudwatch, Threshold=2)
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK"


def test_composite_alarms_and_histories_are_not_there(cloudwatch: Any) -> None:
    with pytest.raises(NotImplementedError):
        cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="TRUE")
    with pytest.raises(NotImplementedError):
        cloudwatch.describe_alarm_history()


def test_percentiles_are_not_there(cloudwatch: Any) -> None:
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    found = cloudwatch.get_metric_statistics(
        Namespace="n",
        MetricName="m",
        StartTime=time.time() - 60,
        EndTime=time.time() + 60,
        Period=60,
        ExtendedStatistics=["p50"],
    )
    assert "ExtendedStatistics" not in found["Datapoints"][0]


def test_a_metric_is_every_metric_of_its_name(cloudwatch: Any) -> None:
    cloudwatch.put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "a", "Value": "b"}]}]
    )
    found = cloudwatch.get_metric_statistics(
        Namespace="n",
        MetricName="m",
        StartTime=time.time() - 60,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Sum"],
    )
    assert found["Datapoints"] != []


def test_any_json_is_a_dashboard(cloudwatch: Any) -> None:
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody="[]")


def test_metric_math_is_an_id(cloudwatch: Any) -> None:
    now = time.time()
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "a * 2"}]
    found = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=now - 60, EndTime=now + 60)[
        "MetricDataResults"
    ]
    assert found[1]["Values"] == []
