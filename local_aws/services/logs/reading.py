"""FilterLogEvents, GetLogEvents and the descriptions, where moto 5.2.5 differs from AWS.

- A filter pattern other than one word or phrase matches everything in moto, and a word matches a part of a word.
- Events of several streams come one stream after the other; AWS always interleaves them.
- logStreamNamePrefix and logGroupIdentifier of FilterLogEvents are ignored; elsewhere any identifier is the last group.
- endTime of GetLogEvents is exclusive; moto includes it.
- Expired events are still there; see retention.py.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.responses import LogsResponse

from local_aws.services.logs import filter_patterns, retention
from local_aws.services.patching import replace


class _Filter:
    """In the place of moto's EventMessageFilter."""

    def __init__(self, pattern: str | None) -> None:
        try:
            self._pattern = filter_patterns.read(pattern or "")
        except filter_patterns.InvalidPattern as error:
            raise InvalidParameterException(f"Invalid filter pattern: {error}") from None

    def matches(self, message: str) -> bool:
        return self._pattern.match(message) is not None


def install() -> None:
    """Let moto do this."""
    replace(models, EventMessageFilter=_Filter)
    replace(models.LogGroup, filter_log_events=_filter_log_events)
    replace(models.LogsBackend, _find_log_group=_find_log_group)
    replace(LogsResponse, filter_log_events=_respond_to_filter_log_events)
    get = models.LogGroup.get_log_events

    def get_log_events(self: models.LogGroup, log_stream_name: str, start_time: Any, end_time: Any, *rest: Any) -> Any:
        retention.expire(self)
        return get(self, log_stream_name, start_time, end_time - 1 if end_time else end_time, *rest)

    replace(models.LogGroup, get_log_events=get_log_events)
    describe, describe_streams = models.LogGroup.to_describe_dict, models.LogGroup.describe_log_streams

    def to_describe_dict(self: models.LogGroup) -> dict[str, Any]:
        retention.expire(self)
        filters = models.logs_backends[self.account_id][self.region].filters.get_matching_filters(
            log_group_name=self.name
        )
        return {**describe(self), "metricFilterCount": len(filters)}

    def describe_log_streams(self: models.LogGroup, **given: Any) -> Any:
        retention.expire(self)
        return describe_streams(self, **given)

    replace(models.LogGroup, to_describe_dict=to_describe_dict, describe_log_streams=describe_log_streams)


def _respond_to_filter_log_events(self: LogsResponse) -> str:
    backend = self.logs_backend
    group = backend._find_log_group(
        log_group_id=self._get_param("logGroupIdentifier"), log_group_name=self._get_param("logGroupName")
    )
    names, prefix = self._get_param("logStreamNames", []), self._get_param("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive.")
    if prefix:
        names = [name for name in group.streams if name.startswith(prefix)]
    none = bool(prefix) and not names
    times = (self._get_param("startTime"), self._get_param("endTime"))
    page = (self._get_param("limit"), self._get_param("nextToken"))
    pattern = self._get_param("filterPattern")
    events, token, searched = (
        ([], None, []) if none else backend.filter_log_events(group.name, names, *times, *page, pattern, True)
    )
    answer = {"events": events, "searchedLogStreams": searched, **({"nextToken": token} if token else {})}
    return json.dumps(answer)


def _find_log_group(
    self: models.LogsBackend, log_group_id: str | None = None, log_group_name: str | None = None
) -> models.LogGroup:
    name = log_group_name or (log_group_id or "").removesuffix(":*").rpartition("log-group:")[2]
    if not name:
        raise InvalidParameterException("Either logGroupName or logGroupIdentifier must be given.")
    if name not in self.groups:
        raise ResourceNotFoundException()
    return self.groups[name]


_MOTOS_FILTER = models.LogGroup.filter_log_events


def _filter_log_events(self: models.LogGroup, *given: Any) -> Any:
    retention.expire(self)
    return _MOTOS_FILTER(self, *given)
