"""What a new state of an alarm sets off: its actions, an event, and lines in its history.

moto 5.2.5 executes no action and has no DescribeAlarmHistory.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-actions
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.cloudwatch import models

from local_aws.clock import CLOCK
from local_aws.iam.principals import ACCOUNT
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import alarm_mail
from local_aws.services.events.emit import emit

log = logging.getLogger("local_aws.cloudwatch")

_KEPT = 30 * 86_400  # seconds
_FIELDS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
# As messages name a region; others are named by their code here.
_REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}


@dataclass(frozen=True)
class State:
    """An alarm's state at a moment."""

    value: str
    reason: str
    reason_data: str
    when: datetime

    @classmethod
    def of(cls, alarm: Any) -> State:
        return cls(alarm.state_value, alarm.state_reason, alarm.state_reason_data, alarm.state_updated_timestamp)

    def for_event(self) -> dict[str, Any]:
        """As events and functions get it."""
        data = {"reasonData": self.reason_data} if self.reason_data not in ("", "{}") else {}
        return {"value": self.value, "reason": self.reason, **data, "timestamp": _time(self.when)}


def follow(aws: Aws, backend: models.CloudWatchBackend, alarm: Any, before: State) -> None:
    """Note the change, tell EventBridge, and execute the actions in threads of their own. Hold the lock."""
    now = State.of(alarm)
    note(
        backend, alarm, "StateUpdate", f"Alarm updated from {before.value} to {now.value}",
        {"version": "1.0", "oldState": _for_history(before), "newState": _for_history(now)},
    )  # fmt: skip
    detail = {
        "alarmName": alarm.name,
        "state": now.for_event(),
        "previousState": before.for_event(),
        "configuration": _configuration(alarm),
    }
    emit(aws, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn], backend.region_name)
    if not alarm.actions_enabled:
        return
    for action in alarm.local_aws_given.get(_FIELDS[now.value]) or []:
        CLOCK.call_after(0.0, f"an action of alarm {alarm.name}", _Action(aws, backend, alarm, action, before, now))


@dataclass(frozen=True)
class _Action:
    aws: Aws
    backend: models.CloudWatchBackend
    alarm: Any
    arn: str
    before: State
    now: State

    def __call__(self) -> None:
        try:
            if self.arn.split(":")[2] == "sns":
                region = _REGIONS.get(self.backend.region_name, self.backend.region_name)
                subject = f'{self.now.value}: "{self.alarm.name}" in {region}'
                body = json.dumps(_message(self.alarm, self.before, self.now, region))
                as_service.publish(
                    self.aws,
                    self.arn,
                    body,
                    service="cloudwatch.amazonaws.com",
                    source_arn=self.alarm.alarm_arn,
                    subject=subject[:100],
                    mail=alarm_mail.text(self.alarm, self.before, self.now, region, self.backend.region_name, ACCOUNT),
                )
            else:
                payload = json.dumps(self._payload()).encode()
                principal = "lambda.alarms.cloudwatch.amazonaws.com"
                as_service.invoke(self.aws, self.arn, payload, service=principal, source_arn=self.alarm.alarm_arn)
        except NotDelivered as error:
            log.warning("an action of alarm %s failed: %s", self.alarm.name, error)
            self._note(f"Failed to execute action {self.arn}", {"actionState": "Failed", "error": str(error)})
        else:
            self._note(f"Successfully executed action {self.arn}", {"actionState": "Succeeded"})

    def _note(self, summary: str, data: dict[str, Any]) -> None:
        with self.aws.lock:
            update = {"oldState": self.before.value, "newState": self.now.value}
            whole = {"notificationResource": self.arn, "stateUpdateTimestamp": _time(self.now.when), **update, **data}
            note(self.backend, self.alarm, "Action", summary, whole)

    def _payload(self) -> dict[str, Any]:
        return {
            "source": "aws.cloudwatch",
            "alarmArn": self.alarm.alarm_arn,
            "accountId": ACCOUNT,
            "time": _time(self.now.when),
            "region": self.backend.region_name,
            "alarmData": {
                "alarmName": self.alarm.name,
                "state": self.now.for_event(),
                "previousState": self.before.for_event(),
                "configuration": _configuration(self.alarm),
            },
        }


def _message(alarm: Any, before: State, now: State, region: str) -> dict[str, Any]:
    """The body of the notification."""
    given = alarm.local_aws_given
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configuration_updated_timestamp),
        "NewStateValue": now.value,
        "NewStateReason": now.reason,
        "StateChangeTime": _time(now.when),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before.value,
        **{field: given.get(field) or [] for field in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }
    if alarm.rule is not None:
        return {**message, "AlarmRule": alarm.rule}
    trigger: dict[str, Any] = {}
    if given.get("Metrics"):
        trigger = {"Metrics": given["Metrics"]}
    else:
        extended = given.get("ExtendedStatistic")
        trigger = {
            "MetricName": given["MetricName"],
            "Namespace": given["Namespace"],
            "StatisticType": "ExtendedStatistic" if extended else "Statistic",
            **({"ExtendedStatistic": extended} if extended else {"Statistic": given["Statistic"].upper()}),
            "Unit": given.get("Unit"),
            "Dimensions": [{"value": one["Value"], "name": one["Name"]} for one in given.get("Dimensions") or []],
        }
    trigger |= {
        "Period": given.get("Period"),
        "EvaluationPeriods": given["EvaluationPeriods"],
        "DatapointsToAlarm": given.get("DatapointsToAlarm") or given["EvaluationPeriods"],
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": float(given["Threshold"]),
        "TreatMissingData": given.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile", ""),
    }
    return {**message, "Trigger": trigger}


def _configuration(alarm: Any) -> dict[str, Any]:
    given = alarm.local_aws_given
    description = {"description": given["AlarmDescription"]} if given.get("AlarmDescription") else {}
    if alarm.rule is not None:
        return {**description, "alarmRule": alarm.rule}
    if given.get("Metrics"):
        return {**description, "metrics": given["Metrics"]}
    metric = {
        "namespace": given["Namespace"],
        "name": given["MetricName"],
        "dimensions": {one["Name"]: one["Value"] for one in given.get("Dimensions") or []},
    }
    stat = {"metric": metric, "period": given["Period"], "stat": given.get("Statistic") or given["ExtendedStatistic"]}
    return {**description, "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}]}


def note(backend: models.CloudWatchBackend, alarm: Any, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Add to what DescribeAlarmHistory tells."""
    history: list[dict[str, Any]] = backend.__dict__.setdefault("local_aws_history", [])
    history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": CLOCK.utcnow().replace(tzinfo=None),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data, default=str),
        }
    )
    oldest = CLOCK.utcnow().replace(tzinfo=None).timestamp() - _KEPT
    while history and history[0]["Timestamp"].timestamp() < oldest:
        history.pop(0)


def _for_history(state: State) -> dict[str, Any]:
    data = {"stateReasonData": json.loads(state.reason_data)} if state.reason_data not in ("", "{}", None) else {}
    return {"stateValue": state.value, "stateReason": state.reason, **data}


def _time(when: datetime) -> str:
    """moto's times are in UTC, without saying so."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}+0000"
