"""What was published of each metric, in order of time.

moto 5.2.5 keeps one list of everything, with one object for each of a value's counts, and searches all of it for each
question. Alarms ask every minute.
"""

from __future__ import annotations

import bisect
import itertools
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch import models

from local_aws.clock import CLOCK

Key = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, name, dimensions in order of their names


@dataclass
class Datum:
    """One value that was seen `count` times, or a statistic set."""

    minimum: float
    maximum: float
    total: float
    count: float
    unit: str


@dataclass
class Series:
    """The data of one metric."""

    times: list[float] = field(default_factory=list)
    data: list[Datum] = field(default_factory=list)

    def add(self, when: float, datum: Datum) -> None:
        """Put it in its place."""
        place = bisect.bisect_right(self.times, when)
        self.times.insert(place, when)
        self.data.insert(place, datum)

    def between(self, start: float, end: float, unit: str | None = None) -> list[Datum]:
        """Return the data of start <= time < end."""
        first, last = bisect.bisect_left(self.times, start), bisect.bisect_left(self.times, end)
        return [datum for datum in self.data[first:last] if unit is None or datum.unit == unit]

    def __getstate__(self) -> bytes:
        """For pickle: one piece, because persistence.py looks at each object by itself, and there may be many."""
        values = [(one.minimum, one.maximum, one.total, one.count, one.unit) for one in self.data]
        return pickle.dumps((self.times, values), protocol=5)

    def __setstate__(self, state: bytes) -> None:
        self.times, values = pickle.loads(state)  # noqa: S301 (our own)
        self.data = [Datum(*one) for one in values]

    def remove_at(self, when: float) -> None:
        """Forget the first datum of exactly this time."""
        place = bisect.bisect_left(self.times, when)
        if place < len(self.times) and self.times[place] == when:
            del self.times[place], self.data[place]


def series_of(account: str, region: str) -> dict[Key, Series]:
    """Return all metrics of a region."""
    return of_backend(models.cloudwatch_backends[account][region])


def of_backend(backend: models.CloudWatchBackend) -> dict[Key, Series]:
    """Return all metrics of a backend."""
    return backend.__dict__.setdefault("local_aws_series", {})  # type: ignore[no-any-return]


def key_of(namespace: str, name: str, dimensions: Iterable[dict[str, str]]) -> Key:
    """Return the identity of a metric: its dimensions, all of them, belong to it."""
    return namespace, name, tuple(sorted((one["Name"], one["Value"]) for one in dimensions))


def find(backend: models.CloudWatchBackend, key: Key) -> Series:
    """Return a metric's data, with those that moto's other services publish at the moment of the question."""
    series = of_backend(backend).get(key, Series())
    if key[0] != "AWS/S3":  # moto has others in no service, and counts every object for these
        return series
    provided = [
        md
        for md in backend.aws_metric_data
        if (md.namespace, md.name, tuple(sorted((str(d.name), str(d.value)) for d in md.dimensions))) == key
    ]
    if not provided:
        return series
    merged = Series(list(series.times), list(series.data))
    for md in provided:
        if isinstance(md, models.MetricDatum):
            merged.add(seconds(md.timestamp), Datum(md.value, md.value, md.value, 1.0, md.unit or "None"))
    return merged


def put_metric_data(
    self: models.CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]
) -> list[tuple[Key, float]]:
    """In the place of moto's; returns what was published when."""
    for number, metric in enumerate(metric_data, start=1):
        self._validate_parameters_put_metric_data(metric, number)
    published = []
    series = of_backend(self)
    for metric in metric_data:
        key = key_of(namespace, metric["MetricName"], metric.get("Dimensions") or ())
        when = seconds(metric.get("Timestamp") or CLOCK.now())
        if key not in series:
            series[key] = Series()
            # What ListMetrics finds.
            dimensions = metric.get("Dimensions") or []
            self.metric_data.append(models.MetricDatum(namespace, key[1], 0.0, dimensions, None, metric.get("Unit")))
        for datum in _data(metric):
            series[key].add(when, datum)
        published.append((key, when))
    return published


def _data(metric: dict[str, Any]) -> Iterator[Datum]:
    unit = metric.get("Unit") or "None"
    if metric.get("Values"):
        counts = metric.get("Counts") or itertools.repeat(1)
        for value, count in zip(map(float, metric["Values"]), map(float, counts), strict=False):
            yield Datum(value, value, value * count, count, unit)
    elif metric.get("StatisticValues"):
        given = {name: float(value) for name, value in metric["StatisticValues"].items()}
        yield Datum(given["Minimum"], given["Maximum"], given["Sum"], given["SampleCount"], unit)
    else:
        value = float(metric.get("Value", 0))
        yield Datum(value, value, value, 1.0, unit)


def seconds(when: Any) -> float:
    """Return seconds since the epoch. moto's times are in UTC, without saying so."""
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
    return float(when)
