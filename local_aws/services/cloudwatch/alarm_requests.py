"""The requests about alarms.

moto 5.2.5 tells of composite alarms unasked, ignores MaxRecords, and has no PutCompositeAlarm and no
DescribeAlarmHistory.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidFormat, InvalidParameterValue, ResourceNotFound
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from local_aws.services.cloudwatch import alarm_actions, alarm_definitions
from local_aws.services.cloudwatch.alarms import Alarms
from local_aws.services.cloudwatch.series import key_of
from local_aws.services.patching import add, replace

_MOST_RECORDS = 100


def install(alarms: Alarms) -> None:
    """Let moto answer so."""

    def put(self: CloudWatchResponse) -> EmptyResult:
        backend = self.cloudwatch_backend
        given = dict(self._get_params())
        existed = given["AlarmName"] in backend.alarms
        alarm = alarm_definitions.put(backend, given)
        summary = f'Alarm "{alarm.name}" {"updated" if existed else "created"}'
        alarm_actions.note(backend, alarm, "ConfigurationUpdate", summary, {"type": "Update" if existed else "Create"})
        alarms.watch(backend, alarm)
        return EmptyResult()

    def set_alarm_state(self: CloudWatchResponse) -> EmptyResult:
        backend = self.cloudwatch_backend
        alarm = backend.alarms.get(self._get_param("AlarmName"))
        if alarm is None:
            raise ResourceNotFound
        data = self._get_param("StateReasonData") or ""
        try:
            json.loads(data or "{}")
        except ValueError:
            raise InvalidFormat("Unknown") from None
        state = self._get_param("StateValue")
        if state != alarm.state_value:
            alarms.change(backend, alarm, state, self._get_param("StateReason"), data)
        alarms.look_soon(backend, alarm)  # the state that was set lasts until then
        return EmptyResult()

    delete = models.CloudWatchBackend.delete_alarms

    def delete_alarms(self: models.CloudWatchBackend, names: list[str]) -> None:
        for name in names:
            if name in self.alarms:
                note = f'Alarm "{name}" deleted'
                alarm_actions.note(self, self.alarms[name], "ConfigurationUpdate", note, {"type": "Delete"})
        delete(self, names)

    put_data = models.CloudWatchBackend.put_metric_data

    def put_metric_data(self: models.CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        published: Any = put_data(self, namespace, metric_data)
        alarms.data_arrived(self, published)

    replace(CloudWatchResponse, put_metric_alarm=put, set_alarm_state=set_alarm_state, describe_alarms=_describe_alarms)
    replace(CloudWatchResponse, describe_alarms_for_metric=_describe_alarms_for_metric)
    add(CloudWatchResponse, put_composite_alarm=put, describe_alarm_history=_describe_alarm_history)
    replace(models.CloudWatchBackend, delete_alarms=delete_alarms, put_metric_data=put_metric_data)


def _describe(alarm: Any) -> dict[str, Any]:
    """An alarm as DescribeAlarms tells of it."""
    return {
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **({} if alarm.rule else {"Dimensions": []}),
        **alarm.local_aws_given,
        "ActionsEnabled": alarm.actions_enabled,
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configuration_updated_timestamp,
        "StateValue": alarm.state_value,
        "StateReason": alarm.state_reason,
        **({"StateReasonData": alarm.state_reason_data} if alarm.state_reason_data else {}),
        "StateUpdatedTimestamp": alarm.state_updated_timestamp,
        "StateTransitionedTimestamp": alarm.local_aws_transitioned,
    }


def _describe_alarms(self: CloudWatchResponse) -> ActionResult:
    names, prefix = self._get_param("AlarmNames", []), self._get_param("AlarmNamePrefix")
    state, action = self._get_param("StateValue"), self._get_param("ActionPrefix")
    kinds = self._get_param("AlarmTypes", []) or ["MetricAlarm"]  # composite alarms are told of to who asks for them

    def wanted(alarm: Any) -> bool:
        actions = [
            one
            for field in ("AlarmActions", "OKActions", "InsufficientDataActions")
            for one in alarm.local_aws_given.get(field, [])
        ]
        return (
            ("MetricAlarm" if alarm.rule is None else "CompositeAlarm") in kinds
            and (not names or alarm.name in names)
            and (not prefix or alarm.name.startswith(prefix))
            and (not state or alarm.state_value == state)
            and (not action or any(one.startswith(action) for one in actions))
        )

    alarms: list[Any] = [one for _, one in sorted(self.cloudwatch_backend.alarms.items()) if wanted(one)]
    page, token = _page(self, alarms, 50 if not names else 100)
    return ActionResult(
        {
            "MetricAlarms": [_describe(alarm) for alarm in page if alarm.rule is None],
            "CompositeAlarms": [_describe(alarm) for alarm in page if alarm.rule is not None],
            **token,
        }
    )


def _describe_alarms_for_metric(self: CloudWatchResponse) -> ActionResult:
    key = key_of(self._get_param("Namespace"), self._get_param("MetricName"), self._get_param("Dimensions", []))
    alarms: Any = self.cloudwatch_backend.alarms.values()
    return ActionResult({"MetricAlarms": [_describe(alarm) for alarm in alarms if key in alarm.local_aws_keys]})


def _describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
    name, kind = self._get_param("AlarmName"), self._get_param("HistoryItemType")
    start, end = self._get_param("StartDate"), self._get_param("EndDate")
    kinds = self._get_param("AlarmTypes", []) or ["MetricAlarm"]
    found = [
        item
        for item in self.cloudwatch_backend.__dict__.get("local_aws_history", [])
        if (not name or item["AlarmName"] == name)
        and (not kind or item["HistoryItemType"] == kind)
        and (item["AlarmType"] in kinds or (name and not self._get_param("AlarmTypes", [])))
        and (not start or item["Timestamp"] >= _naive(start))
        and (not end or item["Timestamp"] <= _naive(end))
    ]
    if self._get_param("ScanBy") != "TimestampAscending":
        found.reverse()
    page, token = _page(self, found, _MOST_RECORDS)
    return ActionResult({"AlarmHistoryItems": page, **token})


def _naive(when: Any) -> Any:
    return when.replace(tzinfo=None)


def _page(self: CloudWatchResponse, found: list[Any], default: int) -> tuple[list[Any], dict[str, str]]:
    token = self._get_param("NextToken")
    try:
        start = int(base64.b64decode(token)) if token else 0
    except ValueError:
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None
    end = start + int(self._get_param("MaxRecords") or default)
    return found[start:end], {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(found) else {}
