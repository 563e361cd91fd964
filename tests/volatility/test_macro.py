"""Macro values count from the day after they became known, and revisions are versions of their period."""

from __future__ import annotations

import dataclasses

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.core.errors import TrainingError
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.ingest.macro import align, ingest_macro
from chronos_volatility.settings import OFFLINE
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import NOW

SETTINGS = dataclasses.replace(OFFLINE, macro=("CPI", "DGS10"), first_session="2018-11-01")


def releases(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["date", "series", "value", "released_at"])
    return frame.astype({"date": "datetime64[ns]", "released_at": "datetime64[ns]", "value": float})


class Published:
    """FRED with these releases; a request tells again what was valid when it begins, as FRED does."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    def fetch(self, series: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        mine = self.rows[(self.rows["series"] == series) & (self.rows["released_at"] <= last)]
        if mine.empty:
            raise TrainingError(f"fred answers 400 for {series}.")
        before = mine[mine["released_at"] <= first].sort_values("released_at").drop_duplicates("date", keep="last")
        return pd.concat([before.assign(released_at=first.normalize()), mine[mine["released_at"] > first]])


PUBLISHED = releases(
    ("2018-10-01", "CPI", 252.8, "2018-11-14"), ("2018-11-01", "CPI", 252.7, "2018-12-06"), ("2018-10-01", "CPI", 252.9, "2018-12-06")
)  # fmt: skip


def value(storage: FolderStorage, day: str) -> list[tuple[str, float]]:
    rows = tables.read(storage, "curated.macro_release_aligned", first=day, last=day)
    return list(zip(rows["series"], rows["value"], strict=True))


def test_a_value_counts_from_the_session_after_its_release(storage: FolderStorage) -> None:
    source = Published(PUBLISHED)
    written, notes = ingest_macro(storage, SETTINGS, source, pd.Timestamp("2018-11-30"), NOW)
    assert notes == ["fred answers 400 for DGS10."]
    assert value(storage, "2018-11-14") == [] and value(storage, "2018-11-15") == [("CPI", 252.8)]
    assert ingest_macro(storage, SETTINGS, source, pd.Timestamp("2018-11-30"), NOW)[0] == {
        "raw.macro": [],
        "curated.macro_release_aligned": [],
    }
    written, _ = ingest_macro(storage, SETTINGS, source, pd.Timestamp("2018-12-07"), NOW)
    assert [key[:30] for key in written["raw.macro"]] == [
        "raw.macro/date=2018-10-01/0001",
        "raw.macro/date=2018-11-01/0000",
    ]
    assert value(storage, "2018-12-06") == [("CPI", 252.8)] and value(storage, "2018-12-07") == [("CPI", 252.7)]
    rows = tables.read(storage, "raw.macro")
    assert rows.attrs["reasons"] == {"2018-10-01": "released 2018-12-06"}
    pd.testing.assert_frame_equal(rows, PUBLISHED.sort_values(["date", "released_at"], ignore_index=True))


DAYS = pd.date_range("2018-11-01", "2018-12-20")
events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(events)
def test_no_session_sees_a_later_release(events: list[tuple[int, int, int]]) -> None:
    periods = ["2018-08-01", "2018-09-01", "2018-10-01", "2018-11-01"]
    rows = releases(
        *{
            (periods[period], str(DAYS[day].date())): (periods[period], "CPI", float(value), str(DAYS[day].date()))
            for period, day, value in events
        }.values()
    )
    sessions = get_calendar().sessions("2018-11-01", "2018-12-20")
    found = align(rows, sessions).set_index("date")
    for session in sessions:
        known = rows[rows["released_at"] < session]
        if known.empty:
            assert session not in found.index
            continue
        newest = known[known["date"] == known["date"].max()].sort_values("released_at").iloc[-1]
        assert (found.loc[session, "value"], found.loc[session, "released_at"]) == (
            newest["value"],
            newest["released_at"],
        )
