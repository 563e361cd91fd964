"""Log groups, streams and events, through boto3 and the AWS CLI."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

GROUP = "/aws/lambda/api"
DAY = 86_400


def put(aws: EmbeddedAws, lines: list[tuple[float, str]], stream: str = "one") -> dict[str, Any]:
    """Put lines, each so many seconds from now."""
    now = aws.now().timestamp()
    events = [{"timestamp": int((now + seconds) * 1000), "message": text} for seconds, text in lines]
    answer: dict[str, Any] = aws.client("logs").put_log_events(
        logGroupName=GROUP, logStreamName=stream, logEvents=events
    )
    return answer


@pytest.fixture
def logs(aws: EmbeddedAws) -> Any:
    client = aws.client("logs")
    client.create_log_group(logGroupName=GROUP)
    for stream in ("one", "two"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    return client


def filtered(logs: Any, **given: Any) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **given)
    return [event["message"] for page in pages for event in page["events"]]


def test_events_of_all_streams_come_in_order_of_time(aws: EmbeddedAws, logs: Any) -> None:
    put(aws, [(-30, "a"), (-10, "c")])
    put(aws, [(-20, "b"), (-5, "d ERROR")], "two")
    assert filtered(logs) == ["a", "b", "c", "d ERROR"]
    assert filtered(logs, PaginationConfig={"PageSize": 1}) == ["a", "b", "c", "d ERROR"]
    assert filtered(logs, logStreamNamePrefix="tw") == ["b", "d ERROR"]
    assert filtered(logs, filterPattern="?ERROR ?a") == ["a", "d ERROR"]
    assert filtered(logs, filterPattern="-ERROR") == ["a", "b", "c"]
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        filtered(logs, filterPattern="{ $.a ")


def test_pages_forward_and_backward(aws: EmbeddedAws, logs: Any) -> None:
    put(aws, [(place - 100, str(place)) for place in range(7)])
    stream = {"logGroupName": GROUP, "logStreamName": "one", "limit": 3}
    seen, token = [], {}
    while True:
        page = logs.get_log_events(**stream, startFromHead=True, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        seen += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == list("0123456")
    newest = logs.get_log_events(**stream)
    assert [event["message"] for event in newest["events"]] == list("456")
    before = logs.get_log_events(**stream, nextToken=newest["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == list("123")
    end = newest["events"][-1]["timestamp"]
    assert [e["message"] for e in logs.get_log_events(**stream, endTime=end)["events"]] == list("345")
    put(aws, [(0, "new")])
    assert [e["message"] for e in logs.get_log_events(**stream, **token)["events"]] == ["new"]


def test_limits_of_a_batch(aws: EmbeddedAws, logs: Any) -> None:
    answer = put(aws, [(-20 * DAY, "old"), (-19.5 * DAY, "old")])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert put(aws, [(0, "x"), (3 * 3600, "y")])["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    for lines, words in (
        ([(0, "b"), (-1, "a")], "chronological order"),
        ([(-25 * 3600, "a"), (0, "b")], "24 hours"),
        ([(0, "x" * 600_000), (0, "x" * 600_000)], "exceeds limit"),
    ):
        with pytest.raises(ClientError, match=words):
            put(aws, lines)
    assert filtered(logs) == ["x"]


def test_retention(aws: EmbeddedAws, logs: Any) -> None:
    with pytest.raises(ClientError, match="failed to satisfy constraint"):
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=4)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    assert put(aws, [(-4 * DAY, "expired"), (-3.5 * DAY, "expired")])["rejectedLogEventsInfo"] == {
        "expiredLogEventEndIndex": 2
    }
    put(aws, [(0, "first")])
    aws.advance(2 * DAY)
    put(aws, [(0, "second")])
    assert filtered(logs) == ["first", "second"]
    aws.advance(1.5 * DAY)
    assert filtered(logs) == ["second"]
    [group] = logs.describe_log_groups()["logGroups"]
    assert group["storedBytes"] == len("second")


def test_tail_of_the_command_line(aws: EmbeddedAws, logs: Any) -> None:
    put(aws, [(-5, "START"), (-3, "an ERROR"), (-1, "END")])
    command = [str(Path(sys.executable).parent / "aws"), "logs", "filter-log-events", "--log-group-name", GROUP]
    said = subprocess.run(
        [*command, "--filter-pattern", "ERROR", "--query", "events[].message", "--output", "text"],
        env=aws.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert said.stdout.strip() == "an ERROR"


def metric(aws: EmbeddedAws, name: str, statistic: str = "Sum", dimensions: Any = ()) -> list[float]:
    now = aws.now().timestamp()
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="App",
        MetricName=name,
        Dimensions=list(dimensions),
        StartTime=now - 3600,
        EndTime=now + 60,
        Period=60,
        Statistics=[statistic],
    )
    return [point[statistic] for point in sorted(found["Datapoints"], key=lambda point: point["Timestamp"])]


def test_a_metric_filter_counts_what_matches(aws: EmbeddedAws, logs: Any) -> None:
    def filter_of(name: str, pattern: str, **transformation: Any) -> None:
        whole = {"metricNamespace": "App", "metricName": name, **transformation}
        logs.put_metric_filter(
            logGroupName=GROUP, filterName=name, filterPattern=pattern, metricTransformations=[whole]
        )

    filter_of("Errors", "ERROR", metricValue="1", defaultValue=0)
    filter_of(
        "Latency", "{ $.latency = * }", metricValue="$.latency", unit="Milliseconds", dimensions={"Path": "$.path"}
    )
    filter_of("Bytes", "[ip, request, bytes]", metricValue="$bytes")
    put(aws, [(-240, "fine"), (-120, "fine"), (-119.9, "ERROR"), (-119.8, "ERROR")])
    put(
        aws,
        [(-60, '{"latency": 20, "path": "/a"}'), (-59.9, '{"latency": 40, "path": "/a"}'), (-59.8, "1.2.3.4 GET 77")],
    )
    assert sum(metric(aws, "Errors")) == 2
    assert metric(aws, "Errors", "Minimum")[0] == 0.0  # the default, in a minute without a match
    assert sum(metric(aws, "Errors", "SampleCount")) <= 5
    assert metric(aws, "Latency", "Maximum", [{"Name": "Path", "Value": "/a"}]) == [40.0]
    assert metric(aws, "Latency", "Maximum") == []
    assert metric(aws, "Bytes") == [77.0]
    filter_of("Errors", "WARNING", metricValue="1")
    assert len(logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]) == 3
    with pytest.raises(ClientError, match="Invalid metric filter pattern"):
        filter_of("Broken", "{ $.a ", metricValue="1")


def test_embedded_metrics(aws: EmbeddedAws, logs: Any) -> None:
    when = int(aws.now().timestamp() * 1000)
    metadata = (
        '{"_aws": {"Timestamp": %d, "CloudWatchMetrics": [{"Namespace": "App", "Dimensions": [["service"], []],'
        ' "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}]}]}, "service": "api", "Latency": [10, 30]}'
    )
    put(aws, [(0, metadata % when), (0, '{"_aws": {"CloudWatchMetrics": 7}}'), (0, "no metric")])
    assert metric(aws, "Latency", "Average", [{"Name": "service", "Value": "api"}]) == [20.0]
    assert metric(aws, "Latency", "SampleCount") == [2.0]


def test_what_a_policy_does_not_allow(aws: EmbeddedAws, logs: Any) -> None:
    here = f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*"

    def allow(*actions: str) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": here}]}

    keys = aws.new_user("writer", logs=allow("logs:PutLogEvents", "logs:CreateLogStream"))
    mine = aws.client("logs", credentials=keys)
    mine.create_log_stream(logGroupName=GROUP, logStreamName="three")
    event = {"timestamp": int(time.time() * 1000), "message": "x"}
    mine.put_log_events(logGroupName=GROUP, logStreamName="three", logEvents=[event])
    with pytest.raises(ClientError, match="not authorized to perform: logs:FilterLogEvents"):
        mine.filter_log_events(logGroupName=GROUP)
    with pytest.raises(ClientError, match="not authorized to perform: logs:CreateLogGroup"):
        mine.create_log_group(logGroupName="/other")
    aws.change_policy("arn:aws:iam::123456789012:policy/writer-logs", allow("logs:CreateLogStream"))
    with pytest.raises(ClientError, match="not authorized to perform: logs:PutLogEvents"):
        mine.put_log_events(logGroupName=GROUP, logStreamName="three", logEvents=[event])


def test_the_older_words_for_tags_need_a_permission(aws: EmbeddedAws, logs: Any) -> None:
    allowed = {
        "Effect": "Allow",
        "Action": ["logs:TagLogGroup", "logs:ListTagsLogGroup", "logs:UntagLogGroup"],
        "Resource": f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*",
    }
    keys = aws.new_user("tagger", tags={"Version": "2012-10-17", "Statement": [allowed]})
    mine = aws.client("logs", credentials=keys)
    mine.tag_log_group(logGroupName=GROUP, tags={"Stack": "volatility", "a": "b"})
    mine.untag_log_group(logGroupName=GROUP, tags=["a"])
    assert mine.list_tags_log_group(logGroupName=GROUP)["tags"] == {"Stack": "volatility"}
    logs.create_log_group(logGroupName="/another")
    with pytest.raises(ClientError, match="AccessDenied"):
        mine.tag_log_group(logGroupName="/another", tags={"a": "b"})


def test_what_is_not_known_is_said(aws: EmbeddedAws, logs: Any) -> None:
    with pytest.raises(ClientError, match="The embedded AWS does not know queries of Logs Insights"):
        logs.start_query(logGroupName=GROUP, startTime=0, endTime=1, queryString="fields @message")
