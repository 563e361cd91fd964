"""What is refused before publishing, with its count and first place; and what is normalized, with a note."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_training.data.checks import check_panel


def _set(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return change


REFUSED = [
    ("no rows", lambda f: f.iloc[:0], "has no rows"),
    (
        "duplicate",
        lambda f: pd.concat([f, f.iloc[[3]]]),
        "2 rows share item and timestamp with another row; first: item 's0' at 2020-01-18",
    ),
    ("no item", _set("item_id", 2, None), "1 rows have no item_id"),
    (
        "bad date",
        _set("timestamp", 1, "31 November 2020"),
        "1 timestamps cannot be read; first: '31 November 2020' in row 2",
    ),
    ("no date", _set("timestamp", 1, None), "1 timestamps cannot be read"),
    ("epoch numbers", lambda f: f.assign(timestamp=range(len(f))), "holds numbers"),
    ("text", _set("target", 4, "many"), "Column 'target': 1 values are not numbers; first: 'many' in row 5"),
    ("infinite", _set("target", 4, float("inf")), "Column 'target': 1 values are infinite"),
    ("text covariate", lambda f: f.assign(price="x"), "Column 'price': 270 values are not numbers"),
    ("off the grid", _set("timestamp", 5, "2020-01-20 12:00"), "Item 's0': 1 timestamps do not fit the frequency 'D'"),
    ("one row each", lambda f: f.iloc[[0, 90, 180]], "No series has two rows"),
    (
        "days that move about",
        lambda f: f[f["timestamp"].dt.dayofyear.isin([15, 18, 20, 24, 29, 32, 40, 41, 51, 60])],
        "most common distance between rows is 3 days",
    ),
    (
        "all empty",
        lambda f: f.assign(target=f["target"].where(f["item_id"] != "s1")),
        "1 series have no values at all; first: item 's1'",
    ),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(panel: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], says: str) -> None:
    with pytest.raises(DataError) as caught:
        check_panel(change(panel))
    assert says in str(caught.value)


def test_shuffled_rows_are_sorted(panel: pd.DataFrame) -> None:
    mixed = panel.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(check_panel(mixed).frame, check_panel(panel).frame)


def test_a_gap_becomes_an_empty_observation_and_is_told(panel: pd.DataFrame) -> None:
    checked = check_panel(panel.drop(index=[10, 11, 100]))
    assert len(checked.frame) == len(panel)
    assert checked.frame["target"].isna().sum() == 3
    assert checked.notes == ["3 missing timestamps were added with an empty target."]


def test_an_empty_target_stays_and_is_told(panel: pd.DataFrame) -> None:
    panel.loc[7, "target"] = np.nan
    checked = check_panel(panel)
    assert checked.notes == ["1 rows came with an empty target."]


def test_time_zones_become_utc(panel: pd.DataFrame) -> None:
    zoned = panel.assign(timestamp=panel["timestamp"].dt.tz_localize("UTC"))
    pd.testing.assert_frame_equal(check_panel(zoned).frame, check_panel(panel).frame)


@pytest.mark.parametrize(
    ("freq", "expected"),
    [("D", "D"), ("B", "B"), ("h", "h"), ("30min", "30min"), ("15min", "15min"), ("min", "min"), ("W-WED", "W-WED"), ("W-SUN", "W-SUN"),
     ("MS", "MS"), ("ME", "ME"), ("QS-JAN", "QS-JAN"), ("QS-FEB", "QS-FEB"), ("QE-DEC", "QE-DEC"), ("YS-JAN", "YS-JAN"), ("YE-DEC", "YE-DEC"), ("YS-APR", "YS-APR")],
)  # fmt: skip
def test_frequencies(freq: str, expected: str) -> None:
    stamps = pd.date_range("2019-01-01", periods=30, freq=freq)
    frame = pd.DataFrame({"item_id": "a", "timestamp": stamps, "target": 1.0})
    checked = check_panel(frame)
    assert checked.freq == expected
    assert len(checked.frame) == 30
