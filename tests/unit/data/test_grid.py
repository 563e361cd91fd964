"""The grid agrees with pandas, which the loader of a dataset uses to check it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.data.checks import check_panel
from chronos_training.data.grid import DAY, after, grid_positions, pandas_stamps, stamps_at
from tests.unit.data.conftest import daily_panel

WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
FREQS = [
    "30s", "min", "5min", "10min", "15min", "30min", "90min", "h", "4h", "D", "3D", "14D", "B", "MS", "ME",
    *(f"W-{day}" for day in WEEKDAYS),
    *(f"{kind}-{month}" for kind in ("QS", "QE", "YS", "YE") for month in MONTHS),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FREQS),
    st.datetimes(min_value=pd.Timestamp("1901-01-01"), max_value=pd.Timestamp("2090-01-01")),
)
def test_numbers_rise_by_one_and_lead_back(freq: str, start: pd.Timestamp) -> None:
    stamps = pd.date_range(pd.Timestamp(start).floor("s"), periods=40, freq=freq).to_numpy().astype("datetime64[us]")
    positions = grid_positions(stamps, freq)
    assert positions.fits.all()
    assert (np.diff(positions.number) == 1).all() and (np.diff(positions.phase) == 0).all()
    np.testing.assert_array_equal(stamps_at(positions.number, positions.phase, freq), stamps)


@pytest.mark.parametrize(("freq", "stamp"), [("B", "2024-06-01"), ("ME", "2024-02-28"), ("YE-DEC", "2024-12-30")])
def test_what_does_not_fit(freq: str, stamp: str) -> None:
    assert not grid_positions(np.array([stamp], dtype="datetime64[us]"), freq).fits[0]


@pytest.mark.parametrize(
    ("freq", "one", "other"),
    [("W-MON", "2024-06-03", "2024-06-04"), ("QS-JAN", "2024-01-01", "2024-02-01"), ("QE-DEC", "2024-03-31", "2024-04-30"),
     ("YS-JAN", "2024-01-01", "2024-02-01"), ("14D", "2024-01-04", "2024-01-08"), ("4h", "2024-01-01", "2024-01-01T01:00")],
)  # fmt: skip
def test_each_series_may_have_a_day_of_its_own(freq: str, one: str, other: str) -> None:
    """Weeks that end on Sunday beside weeks that end on Saturday; a series that changes from one to the other is told."""
    positions = grid_positions(np.array([one, other], dtype="datetime64[us]"), freq)
    assert positions.fits.all() and positions.number[0] == positions.number[1]
    assert positions.phase[0] != positions.phase[1]


def test_another_day_of_the_month_is_another_phase() -> None:
    stamps = np.array(["2024-02-15", "2024-03-15", "2024-06-02"], dtype="datetime64[us]")
    positions = grid_positions(stamps, "MS")
    assert positions.phase[0] == positions.phase[1] == 14 * DAY != positions.phase[2]
    np.testing.assert_array_equal(
        after(stamps[0], np.array([1, 2]), "MS").astype("M8[D]").astype(str), ["2024-03-15", "2024-04-15"]
    )
    np.testing.assert_array_equal(
        pandas_stamps(stamps, "MS").astype("M8[D]").astype(str), ["2024-02-01", "2024-03-01", "2024-06-01"]
    )


def test_an_unknown_frequency_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no grid for frequency '3X'"):
        grid_positions(np.array(["2024-01-01"], dtype="datetime64[us]"), "3X")


def test_the_time_of_day_of_each_series_is_its_own() -> None:
    panel = daily_panel(2, 30)
    late = panel["item_id"] == "s1"
    panel.loc[late, "timestamp"] += pd.Timedelta(hours=6)
    checked = check_panel(panel.drop(index=[5, 40]))
    assert checked.freq == "D" and len(checked.frame) == 60
    assert set(checked.frame.loc[checked.frame["item_id"] == "s1", "timestamp"].dt.hour) == {6}


def test_the_odd_first_row_is_the_odd_one() -> None:
    panel = daily_panel(1, 30)
    panel.loc[0, "timestamp"] += pd.Timedelta(hours=1)
    with pytest.raises(Exception, match=r"Item 's0': 1 timestamps do not fit .* first: 2020-01-15 01:00:00"):
        check_panel(panel)
