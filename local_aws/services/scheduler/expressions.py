"""When a schedule is due: at(…), rate(…) and cron(…), in a time zone.

Both clock changes as AWS documents them: a local time that is skipped in spring is not invoked, one that comes twice in autumn
is invoked the first time only. A rate is elapsed time: a day has 24 hours.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from local_aws.services.scheduler import cron

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}

# What is due first after a moment, given in seconds since the epoch; None when nothing is any more.
Next = Callable[[float], "float | None"]


class InvalidExpression(ValueError):
    """No schedule expression of AWS's."""


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database. InvalidExpression when there is none of that name."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        raise InvalidExpression(name) from None


def once(expression: str, zone: ZoneInfo) -> float | None:
    """Return when an at(…) expression is due, None for one that recurs."""
    found = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=zone).timestamp()
    except ValueError:
        raise InvalidExpression(expression) from None


def recurrence(expression: str, zone: ZoneInfo, origin: float) -> Next:
    """Return what tells when a rate or a cron is due. A rate counts from `origin`, which itself is due.

    InvalidExpression when it is neither.
    """
    if rate := re.fullmatch(r"rate\(([1-9]\d{0,8}) (minute|hour|day)s?\)", expression):
        return functools.partial(_next_of_rate, int(rate[1]) * _SECONDS[rate[2]], origin)
    if found := re.fullmatch(r"cron\((.*)\)", expression):
        try:
            return functools.partial(_next_of_cron, _parsed(found[1]), zone)
        except cron.InvalidCron:
            raise InvalidExpression(expression) from None
    raise InvalidExpression(expression)


_parsed = functools.lru_cache(maxsize=256)(cron.parse)


def _next_of_rate(period: int, origin: float, after: float) -> float:
    return origin if after < origin else origin + (math.floor((after - origin) / period) + 1) * period


def _next_of_cron(expression: cron.Cron, zone: ZoneInfo, after: float) -> float | None:
    local: datetime | None = datetime.fromtimestamp(after, zone).replace(tzinfo=None)
    while local is not None:
        local = expression.next_after(local)
        if local is not None:
            moment = local.replace(tzinfo=zone).astimezone(timezone.utc)  # of two, the first
            skipped = moment.astimezone(zone).replace(tzinfo=None) != local
            if not skipped and moment.timestamp() > after:
                return moment.timestamp()
    return None
