"""Alarms that are evaluated by the clock, change their state, and act.

An alarm is looked at when one of its periods ends, also when no data ever come, and at the end of a minute in which
there were data for it. One that has no data in its window, and the state that follows from that, sleeps until there are
some: nothing else could change it. moto 5.2.5 evaluates none.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import json
import logging
import math
import operator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch import models

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import alarm_actions, alarm_definitions, alarm_rules, queries, statistics
from local_aws.services.cloudwatch.alarm_state import ALARM, EXTRA_PERIODS, INSUFFICIENT_DATA, OK, decide
from local_aws.services.cloudwatch.series import Key, find, key_of

log = logging.getLogger("local_aws.cloudwatch")

_MINUTE = 60
_COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass
class Point:
    """The data of one period; no value where there is none."""

    begin: float
    value: float | None
    samples: float = 0.0


class Alarms:
    """Looks at the alarms when it is time. Its methods want the lock held, unless they say otherwise."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._soon: set[tuple[str, str, float]] = set()  # looks that are due at the end of a minute
        aws.at_reset(self._soon.clear)

    def watch(self, backend: models.CloudWatchBackend, alarm: Any) -> None:
        """Look at an alarm from now on, as long as it is the one of its name."""
        if alarm.rule is not None:
            CLOCK.call_after(0.0, f"alarm {alarm.name}", lambda: self._look_at_composite(backend, alarm))
            return
        alarm.__dict__.pop("local_aws_asleep", None)
        self.look_soon(backend, alarm)
        self._look_later(backend, alarm)

    def data_arrived(self, backend: models.CloudWatchBackend, published: list[tuple[Key, float]]) -> None:
        """There are new data: alarms on them are looked at when the minute is over."""
        keys = {key for key, _ in published}
        for alarm in list(backend.alarms.values()):
            if keys & alarm.__dict__.get("local_aws_keys", set()):
                self.look_soon(backend, alarm)
                self._wake(backend, alarm)

    def look_soon(self, backend: models.CloudWatchBackend, alarm: Any) -> None:
        """Look at an alarm when this minute is over."""
        when = (CLOCK.now() // _MINUTE + 1) * _MINUTE
        which = (backend.region_name, alarm.name, when)
        if alarm.rule is None and which not in self._soon:
            self._soon.add(which)

            def look() -> None:
                self._soon.discard(which)
                self._look(backend, alarm, when)

            CLOCK.call_at(when, f"alarm {alarm.name}", look)

    def _wake(self, backend: models.CloudWatchBackend, alarm: Any) -> None:
        if alarm.__dict__.pop("local_aws_asleep", False):
            self._look_later(backend, alarm)

    def _look_later(self, backend: models.CloudWatchBackend, alarm: Any) -> None:
        period = alarm_definitions.period_of(alarm.local_aws_given)
        when = (CLOCK.now() // period + 1) * period

        def look() -> None:
            if backend.alarms.get(alarm.name) is alarm:
                with self._aws.lock:
                    self._look(backend, alarm, when)
                    if _has_data_since(backend, alarm, when):
                        self._look_later(backend, alarm)
                    else:
                        alarm.local_aws_asleep = True

        CLOCK.call_at(when, f"alarm {alarm.name}", look)

    def _look(self, backend: models.CloudWatchBackend, alarm: Any, now: float) -> None:
        """Evaluate an alarm. Takes the lock."""
        with self._aws.lock:
            if backend.alarms.get(alarm.name) is not alarm:
                return
            given = alarm.local_aws_given
            periods = int(given["EvaluationPeriods"])
            points = _points(backend, given, now, periods + EXTRA_PERIODS)
            if _has_too_few_samples(given, points[-periods:]):
                return
            breaches = [point.value is not None and _breaches(given, point.value) for point in points]
            known = [None if p.value is None else breach for p, breach in zip(points, breaches, strict=True)]
            to_alarm = int(given.get("DatapointsToAlarm") or periods)
            state = decide(known, periods, to_alarm, given.get("TreatMissingData", "missing"))
            if state is not None and state != alarm.state_value:
                reason, data = _reason(given, points, known, state, alarm.state_value, periods, to_alarm, now)
                self.change(backend, alarm, state, reason, data)

    def change(self, backend: models.CloudWatchBackend, alarm: Any, state: str, reason: str, reason_data: str) -> None:
        """Give an alarm a state, and do what follows from it."""
        before = alarm_actions.State.of(alarm)
        alarm.state_value, alarm.state_reason, alarm.state_reason_data = state, reason, reason_data
        self._wake(backend, alarm)  # a state that somebody has set is not what the data say
        alarm.state_updated_timestamp = alarm.local_aws_transitioned = models.utcnow()  # type: ignore[attr-defined]
        log.info("alarm %s: %s -> %s: %s", alarm.name, before.value, state, reason)
        alarm_actions.follow(self._aws, backend, alarm, before)
        for other in list(backend.alarms.values()):
            if other.rule is not None and alarm.name in alarm_rules.read(other.rule).names:
                cause = f"{alarm.alarm_arn} transitioned to {state} at {_in_full(CLOCK.now())}"
                self._evaluate_composite(backend, other, cause, alarm)

    def _look_at_composite(self, backend: models.CloudWatchBackend, alarm: Any) -> None:
        with self._aws.lock:
            if backend.alarms.get(alarm.name) is alarm:
                self._evaluate_composite(backend, alarm, f"{alarm.alarm_arn} was created", None)

    def _evaluate_composite(self, backend: models.CloudWatchBackend, alarm: Any, cause: str, trigger: Any) -> None:
        def state_of(name: str) -> str:
            return str(backend.alarms[name].state_value) if name in backend.alarms else INSUFFICIENT_DATA

        state = ALARM if alarm_rules.read(alarm.rule).holds(state_of) else OK
        if state != alarm.state_value:
            data = {}
            if trigger is not None:
                when = trigger.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
                data = {
                    "triggeringAlarms": [
                        {"arn": trigger.alarm_arn, "state": {"value": trigger.state_value, "timestamp": when}}
                    ]
                }
            said = cause if trigger is not None else f"{cause} and its alarm rule evaluates to {state}"
            self.change(backend, alarm, state, said, json.dumps(data))


def _has_data_since(backend: models.CloudWatchBackend, alarm: Any, now: float) -> bool:
    """Return whether there are data in the window that is looked at, or after it."""
    given = alarm.local_aws_given
    begin = now - (int(given["EvaluationPeriods"]) + EXTRA_PERIODS) * alarm_definitions.period_of(given)
    return any(find(backend, key).between(begin, math.inf, None) for key in alarm.local_aws_keys)


def _points(backend: models.CloudWatchBackend, given: dict[str, Any], now: float, number: int) -> list[Point]:
    """Return the data of the last periods, the oldest first."""
    period = alarm_definitions.period_of(given)
    begins = [now - place * period for place in range(number, 0, -1)]
    if given.get("Metrics"):
        results = queries.evaluate(backend, given["Metrics"], begins[0], now, from_start=True)
        [returned] = [one["Id"] for one in given["Metrics"] if one.get("ReturnData", True) is not False]
        return [Point(begin, results[returned].get(begin)) for begin in begins]
    key = key_of(given["Namespace"], given["MetricName"], given.get("Dimensions") or ())
    series, statistic = find(backend, key), given.get("Statistic") or given["ExtendedStatistic"]
    points = []
    for begin in begins:
        data = series.between(begin, begin + period, given.get("Unit"))
        points.append(Point(begin, statistics.calculate(statistic, data), statistics.sample_count(data)))
    return points


def _has_too_few_samples(given: dict[str, Any], points: list[Point]) -> bool:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html"""
    if given.get("EvaluateLowSampleCountPercentile") != "ignore" or "ExtendedStatistic" not in given:
        return False
    part = (statistics.percentile_of(given["ExtendedStatistic"]) or 0.0) / 100
    needed = 10 / (1 - part) if 0.5 <= part < 1 else 10 / part if part else 0.0
    return sum(point.samples for point in points) < round(needed, 6)


def _breaches(given: dict[str, Any], value: float) -> bool:
    return bool(_COMPARE[given["ComparisonOperator"]](value, float(given["Threshold"])))


def _reason(
    given: dict[str, Any],
    points: list[Point],
    known: list[bool | None],
    state: str,
    before: str,
    periods: int,
    to_alarm: int,
    now: float,
) -> tuple[str, str]:
    """Return StateReason and StateReasonData in AWS's words."""
    real = [(point, breach) for point, breach in zip(points, known, strict=True) if breach is not None][-periods:]
    filled = periods - len(real)
    treatment = given.get("TreatMissingData", "missing")
    if state == INSUFFICIENT_DATA:
        said = f"Insufficient Data: {_number(periods, 'datapoint')} {'was' if periods == 1 else 'were'} unknown."
    elif not real or (filled and state == ALARM and treatment == "breaching"):
        missing = periods if not real else filled
        said = (
            f"Threshold Crossed: no datapoints were received for {_number(missing, 'period')} and "
            f"{_number(missing, 'missing datapoint')} {'was' if missing == 1 else 'were'} treated as "
            f"[{treatment[:1].upper()}{treatment[1:]}]."
        )
    else:
        fitting = [point for point, breach in real if breach == (state == ALARM)]
        shown = ", ".join(
            f"{p.value} ({datetime.fromtimestamp(p.begin, timezone.utc):%d/%m/%y %H:%M:%S})" for p in reversed(fitting)
        )
        least = to_alarm if state == ALARM else periods - to_alarm + 1
        said = (
            f"Threshold Crossed: {len(fitting)} out of the last {_number(periods, 'datapoint')} [{shown}] "
            f"{'was' if len(fitting) == 1 else 'were'}{'' if state == ALARM else ' not'} "
            f"{alarm_definitions.in_words(given['ComparisonOperator'])} the threshold ({float(given['Threshold'])}) "
            f"(minimum {_number(least, 'datapoint')} for "
            f"{'OK -> ALARM' if state == ALARM else 'ALARM -> OK'} transition)."
        )
    data = {
        "version": "1.0",
        "queryDate": _in_iso(now),
        "startDate": _in_iso(points[-periods].begin),
        "statistic": given.get("Statistic") or given.get("ExtendedStatistic"),
        "period": alarm_definitions.period_of(given),
        "recentDatapoints": [point.value for point, _ in real],
        "threshold": float(given["Threshold"]),
        "evaluatedDatapoints": [
            {"timestamp": _in_iso(point.begin), "sampleCount": point.samples, "value": point.value}
            for point, _ in reversed(real)
        ],
    }
    return said, json.dumps({key: value for key, value in data.items() if value is not None}, separators=(",", ":"))


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _in_iso(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _in_full(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%A %d %B, %Y %H:%M:%S UTC")


_started: list[Alarms] = []  # one for the process


def start(aws: Aws) -> Alarms:
    """Return what looks at the alarms."""
    _started[:] = [Alarms(aws)]
    return _started[0]


def watch_all(aws: Aws) -> None:
    """After a crash: look at every alarm that there is."""
    with aws.lock:
        for regions in list(models.cloudwatch_backends.values()):
            for backend in list(regions.values()):
                for alarm in list(backend.alarms.values()):
                    _started[0].watch(backend, alarm)
