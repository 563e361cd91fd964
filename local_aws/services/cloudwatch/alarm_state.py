"""The state of a metric alarm, from whether its data points breach the threshold.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Sequence

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")

# Points beyond the evaluation periods that are looked at when some of those are missing. AWS's number "depends"; its
# document's tables have 3 evaluation periods in a range of 5.
EXTRA_PERIODS = 2


def decide(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> str | None:
    """Return the state, None for the one that it has.

    `breaching` has the evaluation range, the oldest point first, None where there is no data. `periods` and `to_alarm`
    are EvaluationPeriods and DatapointsToAlarm, `missing` is TreatMissingData.
    """
    real = [point for point in breaching if point is not None]
    if len(real) >= periods:  # what is missing is not needed
        return ALARM if sum(real[-periods:]) >= to_alarm else OK
    count = sum(real)
    if missing == "breaching":
        return ALARM if count + periods - len(real) >= to_alarm else OK
    if missing == "notBreaching":
        return ALARM if count >= to_alarm else OK
    if count >= to_alarm:
        return ALARM
    if not all(real):
        return OK
    if missing == "ignore":
        return None
    if not real:
        return INSUFFICIENT_DATA
    # Every point that there is breaches, but there are too few. It is an alarm when the oldest of them in the
    # evaluation periods is old enough; before that, the next point may be a good one.
    recent = breaching[-periods:]
    ages = [len(recent) - place for place, point in enumerate(recent) if point]
    return ALARM if ages and max(ages) >= to_alarm else None
