"""Log events as they arrive: AWS's limits, and what is made of each event (metrics).

moto 5.2.5 takes any batch, evaluates no metric filter, and tells of rejected events by wrong indexes.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.logs import embedded_metrics, metric_filters, retention
from local_aws.services.patching import replace

log = logging.getLogger("local_aws.logs")

_MOST_EVENTS, _MOST_BYTES, _OVERHEAD = 10_000, 1_048_576, 26
_LONGEST_SPAN = timedelta(hours=24)
_OLDEST, _NEWEST = timedelta(days=14), timedelta(hours=2)

# Called with moto's stream and its new events, with the lock held: quick, and it must not fail.
listeners: list[Callable[[Any, list[Any]], None]] = []


def install(aws: Aws) -> None:
    """Let moto's backend do this."""
    put = models.LogStream.put_log_events

    def put_into_stream(self: models.LogStream, log_events: list[dict[str, Any]]) -> str:
        before = len(self.events)
        token = put(self, log_events)
        arrived = self.events[before:]
        for listener in listeners:
            try:
                listener(self, arrived)
            except Exception:  # the event is stored whatever is made of it
                log.exception("%s of %s failed", listener, self.log_stream_name)
        return token

    replace(models.LogStream, put_log_events=put_into_stream)
    replace(models.LogsBackend, put_log_events=_put_log_events)
    listeners.append(lambda stream, events: metric_filters.evaluate(aws, stream, events))
    listeners.append(lambda stream, events: embedded_metrics.extract(aws, stream, events))


def _put_log_events(
    self: models.LogsBackend, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
) -> tuple[str, dict[str, Any]]:
    group = self.groups.get(log_group_name)
    if group is None:
        raise ResourceNotFoundException()
    if log_stream_name not in group.streams:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    _refuse_what_is_too_much(log_events)
    times = [int(event["timestamp"]) for event in log_events]
    now = CLOCK.now() * 1000
    expired = sum(time < retention.oldest(group, now) for time in times)
    too_old = sum(time < now - _OLDEST.total_seconds() * 1000 for time in times)
    too_new = sum(time > now + _NEWEST.total_seconds() * 1000 for time in times)
    first, end = max(too_old, expired), len(times) - too_new
    rejected = {}
    if too_old > expired:
        rejected["tooOldLogEventEndIndex"] = too_old
    elif expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = end
    return group.put_log_events(log_stream_name, log_events[first:end]), rejected


def _refuse_what_is_too_much(events: list[dict[str, Any]]) -> None:
    if len(events) > _MOST_EVENTS:
        raise InvalidParameterException(f"Log batch size of {len(events)} exceeds {_MOST_EVENTS} events.")
    size = sum(len(str(event["message"]).encode()) + _OVERHEAD for event in events)
    if size > _MOST_BYTES:
        raise InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {_MOST_BYTES}")
    times = [int(event["timestamp"]) for event in events]
    if times != sorted(times):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    if times and times[-1] - times[0] > _LONGEST_SPAN.total_seconds() * 1000:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
