"""An alarm's state, against the tables of AWS's document and against a second reading of its text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from local_aws.services.cloudwatch.alarm_state import TREATMENTS, decide

KEEP = None
POINTS = {"0": False, "X": True, "-": None}


def points(text: str) -> list[bool | None]:
    return [POINTS[one] for one in text.split()]


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, both tables. The columns
# are MISSING, IGNORE, BREACHING, NOT BREACHING; evaluation periods are 3, the range is 5.
@pytest.mark.parametrize(
    ("to_alarm", "data", "states"),
    [
        (3, "0 - X - X", ["OK", "OK", "OK", "OK"]),
        (3, "- - - - 0", ["OK", "OK", "OK", "OK"]),
        (3, "- - - - -", ["INSUFFICIENT_DATA", KEEP, "ALARM", "OK"]),
        (3, "0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (3, "- - X - -", ["ALARM", KEEP, "ALARM", "OK"]),
        (2, "0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (2, "0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (2, "0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        (2, "- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        (2, "- - - X -", ["ALARM", KEEP, "ALARM", "OK"]),
        # The text after the tables: not immediately an alarm.
        (3, "- - - - X", [KEEP, KEEP, "ALARM", "OK"]),
        (3, "- - - X -", [KEEP, KEEP, "ALARM", "OK"]),
    ],
)
def test_the_documents_tables(to_alarm: int, data: str, states: list[str | None]) -> None:
    found = [decide(points(data), 3, to_alarm, one) for one in ("missing", "ignore", "breaching", "notBreaching")]
    assert found == states


def oracle(data: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> str | None:
    """The document's text again, written the other way round: by completing the data in every way that they may be."""
    newest = list(reversed(data))
    kept = [one for one in newest if one is not None][:periods]
    gaps = periods - len(kept)
    fills = {"breaching": [True], "notBreaching": [False]}.get(missing, [True, False])
    outcomes = {(sum(kept) + sum(fill)) >= to_alarm for fill in itertools.product(fills, repeat=gaps)}
    if outcomes == {True}:
        return "ALARM"
    if missing in ("breaching", "notBreaching") or False in kept or outcomes == {False}:
        return "OK"
    if missing == "missing" and not kept:
        return "INSUFFICIENT_DATA"
    if missing == "missing" and any(
        one for age, one in enumerate(newest[:periods], start=1) if one and age >= to_alarm
    ):
        return "ALARM"
    return None


def test_all_data_of_up_to_seven_points() -> None:
    compared = 0
    for periods in range(1, 6):
        for data in itertools.product([True, False, None], repeat=periods + 2):
            for to_alarm, missing in itertools.product(range(1, periods + 1), TREATMENTS):
                expected = oracle(data, periods, to_alarm, missing)
                assert decide(data, periods, to_alarm, missing) == expected, (data, periods, to_alarm, missing)
                compared += 1
    assert compared > 50_000
