"""GetMetricStatistics and GetMetricData.

moto 5.2.5 lacks percentiles and units, mixes metrics of one name, counts in data of other dimensions, and knows no
metric math beyond a query's own id.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws.services.cloudwatch import metric_math, statistics
from local_aws.services.cloudwatch.series import find, key_of, seconds
from local_aws.services.patching import replace

_MOST_DATAPOINTS, _MOST_QUERIES = 1440, 500
_SHORT_PERIODS = (1, 5, 10, 20, 30)


def install() -> None:
    """Let moto answer so."""
    replace(CloudWatchResponse, get_metric_statistics=_get_metric_statistics, get_metric_data=_get_metric_data)


def check_period(period: int) -> None:
    """Refuse a period that AWS does not take."""
    if period not in _SHORT_PERIODS and (period < 60 or period % 60):
        raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")


def check_statistic(statistic: str) -> None:
    """Refuse a statistic that is not known here."""
    if not statistics.is_known(statistic):
        raise InvalidParameterValue(
            f"The embedded AWS does not know the statistic {statistic}: it knows {', '.join(statistics.SIMPLE)} "
            "and pNN.NN."
        )


def _get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
    simple, extended = self._get_param("Statistics", []), self._get_param("ExtendedStatistics", [])
    if not simple and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    if simple and extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics, but not both.")
    for statistic in extended:
        check_statistic(statistic)
    period = int(self._get_param("Period"))
    check_period(period)
    start, end = seconds(self._get_param("StartTime")), seconds(self._get_param("EndTime"))
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    if (end - start) / period > _MOST_DATAPOINTS:
        raise InvalidParameterCombination(
            f"You have requested up to {math.ceil((end - start) / period):,} datapoints, which exceeds the limit of "
            f"{_MOST_DATAPOINTS:,}. You may reduce the datapoints requested by increasing Period, or "
            "decreasing the time range."
        )
    # A start is rounded down to the minute, and periods are counted from there.
    start = start // min(period, 60) * min(period, 60)
    name = self._get_param("MetricName")
    key = key_of(self._get_param("Namespace"), name, self._get_param("Dimensions", []))
    series, unit = find(self.cloudwatch_backend, key), self._get_param("Unit")
    points = []
    for number in range(math.ceil((end - start) / period)):
        begin = start + number * period
        data = series.between(begin, min(begin + period, end), unit)
        if data:
            point: dict[str, Any] = {"Timestamp": _moment(begin), "Unit": data[-1].unit}
            point |= {one: statistics.calculate(one, data) for one in simple}
            if extended:
                values = {one: statistics.calculate(one, data) for one in extended}
                point["ExtendedStatistics"] = {one: value for one, value in values.items() if value is not None}
            points.append(point)
    return ActionResult({"Label": name, "Datapoints": points})


def _get_metric_data(self: CloudWatchResponse) -> ActionResult:
    given = self._get_params()
    start, end = seconds(given["StartTime"]), seconds(given["EndTime"])
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    queries = given.get("MetricDataQueries", [])
    results = evaluate(self.cloudwatch_backend, queries, start, end)
    descending = (given.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
    answers = []
    for query in queries:
        if query.get("ReturnData", True):
            points = sorted(results[query["Id"]].items(), reverse=descending)
            answers.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or _label(query),
                    "Timestamps": [_moment(when) for when, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
    return ActionResult({"MetricDataResults": answers, "Messages": []})


def _label(query: dict[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"]) if "MetricStat" in query else str(query["Id"])


def evaluate(
    backend: models.CloudWatchBackend,
    queries: list[dict[str, Any]],
    start: float,
    end: float,
    *,
    from_start: bool = False,
) -> dict[str, metric_math.Points]:
    """Return each query's values by the beginning of their periods. Refuses queries that AWS, or this, does not know.

    Periods are those of the clock (12:00 to 12:05 for five minutes), or with `from_start` counted from the start.
    """
    if len(queries) > _MOST_QUERIES:
        raise ValidationError(f"The collection MetricDataQueries must not have a size greater than {_MOST_QUERIES}.")
    results: dict[str, metric_math.Points] = {}
    expressions: dict[str, str] = {}
    periods: set[float] = set()
    for query in queries:
        if query["Id"] in results or query["Id"] in expressions:
            raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
        if ("MetricStat" in query) == ("Expression" in query):
            raise ValidationError(
                "Either MetricStat or Expression must be specified for each member of MetricDataQueries."
            )
        if "Expression" in query:
            expressions[query["Id"]] = query["Expression"]
            continue
        stat = query["MetricStat"]
        check_statistic(stat["Stat"])
        metric, period = stat["Metric"], int(stat["Period"])
        check_period(period)
        series = find(backend, key_of(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or ()))
        points = results[query["Id"]] = {}
        first = start if from_start else start // period * period
        grid = [first + number * period for number in range(math.ceil((end - first) / period))]
        for begin in grid:
            data = series.between(max(begin, start), min(begin + period, end), stat.get("Unit"))
            value = statistics.calculate(stat["Stat"], data)
            if value is not None:
                points[begin] = value
        periods.update(grid)
    metrics = dict(results)
    try:
        for name in expressions:
            metric_math.evaluate(name, expressions, results, metrics, sorted(periods))
    except metric_math.UnknownExpression as error:
        raise ValidationError(str(error)) from None
    return results


def _moment(when: float) -> datetime:
    return datetime.fromtimestamp(when, timezone.utc).replace(tzinfo=None)
