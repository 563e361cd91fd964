"""Events that are older than their group's retention are gone.

moto 5.2.5 stores the number of days and keeps the events. AWS deletes up to 72 hours later than it says; here it is at
once, when somebody looks.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html#SettingLogRetention
"""

from __future__ import annotations

from typing import Any

from local_aws.clock import CLOCK

_DAY = 86_400_000  # milliseconds


def oldest(group: Any, now: float) -> float:
    """Return the time (milliseconds since the epoch) of the oldest event that is kept."""
    days = group.retention_in_days
    return now - int(days) * _DAY if days else 0.0


def expire(group: Any) -> None:
    """Delete what is older."""
    if not group.retention_in_days:
        return
    limit = oldest(group, CLOCK.now() * 1000)
    for stream in group.streams.values():
        if any(event.timestamp < limit for event in stream.events):
            stream.events = [event for event in stream.events if event.timestamp >= limit]
            stream.stored_bytes = sum(len(event.message) for event in stream.events)
