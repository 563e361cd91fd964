"""The embedded AWS is killed, and alarms and metrics are there and go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for


def test_alarms_go_on(tmp_path: Path) -> None:
    aws = EmbeddedAws(tmp_path / "home")
    try:
        cloudwatch = aws.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="kept-alarm",
            Namespace="n",
            MetricName="kept-metric",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
        )
        cloudwatch.put_composite_alarm(AlarmName="kept-both", AlarmRule="ALARM(kept-alarm)")
        cloudwatch.put_metric_data(
            Namespace="n", MetricData=[{"MetricName": "kept-metric", "Value": 7.0, "Timestamp": aws.now()}]
        )
        folder = Home(aws.home).state
        for mark in (b"kept-both", b"local_aws_series"):
            wait_for(
                lambda mark=mark: any(mark in f.read_bytes() for f in folder.glob("moto.cloudwatch*")),
                f"{mark!r} on disk",
            )
        os.kill(aws.server.pid, signal.SIGKILL)
        aws = EmbeddedAws(aws.home)
        cloudwatch = aws.client("cloudwatch")
        now = aws.now().timestamp()
        [point] = cloudwatch.get_metric_statistics(
            Namespace="n",
            MetricName="kept-metric",
            StartTime=now - 600,
            EndTime=now + 60,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        assert point["Sum"] == 7.0
        aws.advance(600)
        [alarm] = cloudwatch.describe_alarms()["MetricAlarms"]
        [both] = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        assert (alarm["StateValue"], both["StateValue"]) == ("ALARM", "ALARM")
    finally:
        aws.stop()
