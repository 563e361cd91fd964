"""PutMetricAlarm and PutCompositeAlarm: what they refuse, and what is remembered of them.

moto 5.2.5 takes periods, ranges and actions that AWS does not, begins with the state OK (also when an alarm is
changed), and has no PutCompositeAlarm.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError

from local_aws.services.cloudwatch import alarm_rules, statistics
from local_aws.services.cloudwatch.alarm_state import INSUFFICIENT_DATA, TREATMENTS
from local_aws.services.cloudwatch.series import Key, key_of

_OPERATORS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_MOTOS_NAMES = {
    "AlarmName": "name",
    "AlarmDescription": "description",
    "AlarmRule": "rule",
    "AlarmActions": "alarm_actions",
    "Namespace": "namespace",
    "MetricName": "metric_name",
    "Statistic": "statistic",
    "Period": "period",
    "EvaluationPeriods": "evaluation_periods",
    "ComparisonOperator": "comparison_operator",
    "Threshold": "threshold",
}
_DAY, _WEEK, _HOUR = 86_400, 604_800, 3_600
_UNKNOWN = "The embedded AWS does not know"


def in_words(operator: str) -> str:
    """Return "greater than" and the like."""
    return _OPERATORS[operator]


def period_of(given: dict[str, Any]) -> int:
    """Return an alarm's period: with several metrics all have the same."""
    if given.get("Metrics"):
        stats = [one["MetricStat"] for one in given["Metrics"] if "MetricStat" in one]
        return int(stats[0]["Period"])
    return int(given["Period"])


def keys_of(given: dict[str, Any]) -> set[Key]:
    """Return the metrics that an alarm looks at."""
    if given.get("Metrics"):
        metrics = [one["MetricStat"]["Metric"] for one in given["Metrics"] if "MetricStat" in one]
    else:
        metrics = [given]
    return {key_of(one["Namespace"], one["MetricName"], one.get("Dimensions") or ()) for one in metrics}


def put(backend: models.CloudWatchBackend, given: dict[str, Any]) -> Any:
    """Make or change a metric alarm, or a composite one (with AlarmRule). Returns moto's alarm."""
    _check_actions(backend, given)
    if "AlarmRule" in given:
        _check_composite(backend, given)
    else:
        _check_metric(given)
    old = backend.alarms.get(given["AlarmName"])
    if old is not None and (old.rule is None) != ("AlarmRule" not in given):
        raise ValidationError("An alarm of that name and of the other kind exists.")
    named: dict[str, Any] = {motos: given.get(name) for name, motos in _MOTOS_NAMES.items()}
    named |= {"dimensions": given.get("Dimensions") or [], "actions_enabled": given.get("ActionsEnabled", True)}
    tags = given.get("Tags") if old is None else None  # those of a request that changes an alarm are ignored
    made: Any = backend.put_metric_alarm(**named, tags=tags)
    made.local_aws_given = {key: value for key, value in given.items() if key != "Tags" and value is not None}
    made.local_aws_keys = set() if made.rule else keys_of(given)
    if old is None:
        made.state_value, made.state_reason_data = INSUFFICIENT_DATA, ""
        made.local_aws_transitioned = made.state_updated_timestamp
    else:  # a changed alarm keeps its state
        for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
            setattr(made, name, getattr(old, name))
        made.local_aws_transitioned = old.local_aws_transitioned
    return made


def _check_actions(backend: models.CloudWatchBackend, given: dict[str, Any]) -> None:
    for field in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        actions = given.get(field) or []
        if len(actions) > 5:
            raise ValidationError(f"The collection {field} must not have a size greater than 5.")
        for action in actions:
            parts = action.split(":")
            if len(parts) < 6 or parts[0] != "arn":
                raise ValidationError(f"Invalid arn syntax: {action}")
            if parts[2] not in ("sns", "lambda"):
                raise ValidationError(
                    f"{_UNKNOWN} the alarm action {action}: it knows SNS topics and Lambda functions."
                )
            if parts[3] != backend.region_name:
                raise ValidationError(f"Invalid region {parts[3]} specified. Only {backend.region_name} is supported.")


def _check_metric(given: dict[str, Any]) -> None:
    if given["ComparisonOperator"] not in _OPERATORS or "ThresholdMetricId" in given:
        raise ValidationError(f"{_UNKNOWN} alarms on anomaly detection.")
    if "Threshold" not in given:
        raise ValidationError("The parameter Threshold is required.")
    if given.get("TreatMissingData", "missing") not in TREATMENTS:
        raise ValidationError(
            f"Option {given['TreatMissingData']} is not supported. Supported options for parameter TreatMissingData "
            f"are {', '.join(TREATMENTS)}."
        )
    low = given.get("EvaluateLowSampleCountPercentile")
    if low is not None and low not in ("evaluate", "ignore"):
        raise ValidationError(
            f"Option {low} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile "
            "are evaluate and ignore."
        )
    if given.get("Metrics"):
        _check_metrics(given)
    else:
        for name in ("MetricName", "Namespace", "Period"):
            if name not in given:
                raise ValidationError(f"The parameter {name} is required.")
        if ("Statistic" in given) == ("ExtendedStatistic" in given):
            raise InvalidParameterCombination("Exactly one of Statistic and ExtendedStatistic must be specified.")
        statistic = given.get("ExtendedStatistic")
        if statistic is not None and statistics.percentile_of(statistic) is None:
            raise ValidationError(f"The value {statistic} for parameter ExtendedStatistic is not supported.")
    period, periods = period_of(given), int(given["EvaluationPeriods"])
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise ValidationError("Period must be 10, 20, 30 or a multiple of 60")
    longest = _DAY if period < _HOUR else _WEEK
    if period * periods > longest:
        raise ValidationError(
            f"Metrics cannot be checked across more than {'a day' if longest == _DAY else 'seven days'} "
            f"(EvaluationPeriods * Period must be <= {longest})."
        )
    if int(given.get("DatapointsToAlarm") or periods) > periods:
        raise ValidationError("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.")


def _check_metrics(given: dict[str, Any]) -> None:
    both = [
        name
        for name in ("MetricName", "Namespace", "Period", "Statistic", "ExtendedStatistic", "Dimensions")
        if given.get(name)
    ]
    if both:
        raise InvalidParameterCombination(f"The parameters Metrics and {both[0]} are mutually exclusive.")
    metrics = given["Metrics"]
    if sum(one.get("ReturnData", True) is not False for one in metrics) != 1:
        raise ValidationError("Exactly one element of the metrics list should return data.")
    periods = {one["MetricStat"]["Period"] for one in metrics if "MetricStat" in one}
    if len(periods) != 1:
        raise ValidationError("Metrics list must contain at least one metric, and all must have the same period.")


def _check_composite(backend: models.CloudWatchBackend, given: dict[str, Any]) -> None:
    if given.get("ActionsSuppressor"):
        raise ValidationError(f"{_UNKNOWN} ActionsSuppressor.")
    try:
        rule = alarm_rules.read(given["AlarmRule"])
    except alarm_rules.InvalidRule as error:
        raise ValidationError(f"AlarmRule contains invalid syntax: {error}") from None
    for name in rule.names:
        if name == given["AlarmName"]:
            raise ValidationError("AlarmRule must not refer to the alarm itself.")
        if name not in backend.alarms:
            raise ValidationError(f"AlarmRule refers to an alarm that does not exist: {name}")
