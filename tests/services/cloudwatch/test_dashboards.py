"""Dashboards are checked when they are put."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

METRIC: dict[str, Any] = {
    "type": "metric",
    "x": 0,
    "y": 0,
    "width": 12,
    "height": 6,
    "properties": {
        "metrics": [["AWS/Lambda", "Errors", "FunctionName", "api"], [{"expression": "SUM(METRICS())"}]],
        "period": 300,
        "stat": "p95",
        "region": "us-east-1",
        "title": "t",
        "view": "timeSeries",
    },
}
FINE = {
    "widgets": [
        METRIC,
        {"type": "text", "properties": {"markdown": "# x"}},
        {"type": "alarm", "properties": {"alarms": ["arn"]}},
    ]
}


def put(aws: EmbeddedAws, body: Any) -> list[dict[str, str]]:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = aws.client("cloudwatch").put_dashboard(DashboardName="d", DashboardBody=text)
    return list(answer["DashboardValidationMessages"])


def test_a_fine_dashboard(aws: EmbeddedAws) -> None:
    assert put(aws, FINE) == []
    assert json.loads(aws.client("cloudwatch").get_dashboard(DashboardName="d")["DashboardBody"]) == FINE
    assert put(aws, {**FINE, "colour": 1})[0]["DataPath"] == "/colour"  # odd, and taken


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["type"], "chart", "/widgets/0/type"),
        (["x"], 24, "/widgets/0/x"),
        (["width"], 25, "/widgets/0/width"),
        (["properties", "metrics"], [["AWS/Lambda"]], "/widgets/0/properties/metrics/0"),
        (["properties", "metrics"], [["AWS/Lambda", "Errors", "Name"]], "pairs of dimensions"),
        (["properties", "period"], 7, "/widgets/0/properties/period"),
        (["properties", "view"], "donut", "/widgets/0/properties/view"),
        (["properties"], None, "required property 'properties'"),
    ],
)
def test_what_is_refused(aws: EmbeddedAws, path: list[str], value: Any, said: str) -> None:
    body = copy.deepcopy(FINE)
    inner: Any = body["widgets"][0]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(ClientError, match=r"InvalidParameterInput|DashboardInvalidInputError") as error:
        put(aws, body)
    assert said in str(error.value)


def test_what_is_no_dashboard(aws: EmbeddedAws) -> None:
    for body in ("{", "[]", "{}"):
        with pytest.raises(ClientError):
            put(aws, body)
    assert aws.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
