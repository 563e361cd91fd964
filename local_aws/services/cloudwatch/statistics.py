"""Statistics of the data in a period, percentiles included.

moto 5.2.5 knows no percentile, takes any metric of the same name in GetMetricStatistics, and begins periods at the
first datum.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from local_aws.services.cloudwatch.series import Datum

SIMPLE = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{0,10})?|100)")


def percentile_of(statistic: str) -> float | None:
    """Return 99.9 of p99.9; None for what is no percentile."""
    found = _PERCENTILE.fullmatch(statistic)
    return float(found.group(1)) if found else None


def is_known(statistic: str) -> bool:
    """Return whether calculate() takes it. Trimmed means and their kin are not known."""
    return statistic in SIMPLE or percentile_of(statistic) is not None


def sample_count(data: Sequence[Datum]) -> float:
    """Return how many samples the data stand for."""
    return sum(datum.count for datum in data)


def calculate(statistic: str, data: Sequence[Datum]) -> float | None:
    """Return the statistic, None without data."""
    samples = sample_count(data)
    if not samples:
        return None
    if statistic == "Sum":
        return sum(datum.total for datum in data)
    if statistic == "Average":
        return sum(datum.total for datum in data) / samples
    if statistic == "Minimum":
        return min(datum.minimum for datum in data)
    if statistic == "Maximum":
        return max(datum.maximum for datum in data)
    if statistic == "SampleCount":
        return samples
    return _percentile(percentile_of(statistic) or 0.0, data)


def _percentile(percent: float, data: Sequence[Datum]) -> float | None:
    """Interpolated between the two values around it, each counted as often as it was seen.

    Of a statistic set only one whose values are all the same has percentiles, as on AWS.
    """
    values = sorted((datum.minimum, datum.count) for datum in data if datum.minimum == datum.maximum)
    if not values:
        return None
    place = percent / 100 * (sum(count for _, count in values) - 1)
    seen, lower = 0.0, values[0][0]
    for value, count in values:
        if place < seen + count - 1 or (place <= seen + count - 1 and count >= 1):
            # `place` lies between the last of the values before (at seen - 1) and the first of these (at seen).
            return value if place >= seen else lower + (value - lower) * (place - seen + 1)
        seen, lower = seen + count, value
    return values[-1][0]
