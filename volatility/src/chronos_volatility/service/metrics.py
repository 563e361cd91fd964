"""Metrics in the embedded metric format: a line in a function's log becomes data of CloudWatch, without a request.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import os
from datetime import datetime

NAMESPACE = "Volatility"
ENVIRONMENT = "VOLATILITY_ENVIRONMENT"
UNITS = {
    "PredictionPresent": "Count",  # 1 when the session that is due has its forecast
    "StaleSessions": "Count",  # by how many sessions the last forecast is behind
    "SourceLagSessions": "Count",  # by how many sessions the last prices are behind
    "GateRefusedInARow": "Count",  # how many of the last trainings changed nothing
    "CanaryFailed": "Count",  # 1 when a new champion had to go again
    "StepSeconds": "Seconds",
}


def line(values: dict[str, float], moment: datetime, environment: str, *, step: str = "") -> str:
    """Return the log line of metrics at `moment`: by Environment, and by Step as well if one is named."""
    dimensions = {"Environment": environment} | ({"Step": step} if step else {})
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}
    head = {"Timestamp": int(moment.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": head, **dimensions, **values})


def put(values: dict[str, float], moment: datetime, *, step: str = "") -> None:
    """Write metrics into the log of the function that runs."""
    print(line(values, moment, os.environ.get(ENVIRONMENT, "local"), step=step), flush=True)
