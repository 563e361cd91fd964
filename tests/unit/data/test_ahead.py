"""Known covariates after the end of every series find their places, whatever the frequency and the zone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_training.data.ahead import Columns, read_known, with_room
from chronos_training.data.formats import Format
from chronos_training.data.summary import examine

COLUMNS = Columns(("target",), (), ("promo",))


@pytest.mark.parametrize(
    ("freq", "zone"),
    [("D", None), ("D", "Europe/Berlin"), ("h", "Europe/Berlin"), ("MS", "Asia/Tokyo"), ("B", "America/New_York")],
)
def test_a_file_with_what_is_known_ahead_fits_the_data(tmp_path: Path, freq: str, zone: str | None) -> None:
    """It is longer than the forecast, and has rows of the history and of a series that nobody asked for."""
    stamps = pd.date_range("2021-03-01", periods=70, freq=freq, tz=zone)
    promo = np.random.default_rng(0).normal(size=70)
    frame = pd.DataFrame(
        {"item_id": "a", "timestamp": [one.isoformat() for one in stamps], "target": 1.0, "promo": promo}
    )
    frame["target"] = np.arange(70.0) % 5
    frame.iloc[:50].to_csv(tmp_path / "data.csv", index=False)
    ahead = pd.concat([frame.iloc[45:], frame.iloc[50:].assign(item_id="b", promo=9.0)])
    ahead.drop(columns="target").to_csv(tmp_path / "ahead.csv", index=False)
    checked, _ = examine(str(tmp_path / "data.csv"), ("target",), None)
    known = read_known(tmp_path / "ahead.csv", ("promo",), ("target",), Format())
    panel, ends = with_room(checked, COLUMNS, 10, 10, known)
    assert list(ends) == [50] and checked.freq.startswith(freq)
    np.testing.assert_array_equal(panel.values(0, "promo"), promo[:60])
    assert np.isnan(panel.values(0, "target")[50:]).all()


def test_one_series_without_an_id_is_that_of_the_data(tmp_path: Path) -> None:
    stamps = pd.date_range("2021-03-01", periods=60)
    frame = pd.DataFrame({"timestamp": stamps, "target": np.arange(60.0) % 5, "promo": np.arange(60.0)})
    frame.iloc[:50].to_csv(tmp_path / "data.csv", index=False)
    frame.iloc[50:].drop(columns="target").to_csv(tmp_path / "ahead.csv", index=False)
    checked, _ = examine(str(tmp_path / "data.csv"), ("target",), None)
    known = read_known(tmp_path / "ahead.csv", ("promo",), ("target",), Format())
    panel, _ = with_room(checked, COLUMNS, 10, 10, known)
    np.testing.assert_array_equal(panel.values(0, "promo"), np.arange(60.0))


def test_two_rows_of_one_time_are_refused(tmp_path: Path) -> None:
    row = {"item_id": "a", "timestamp": "2021-03-01", "promo": 1.0}
    pd.DataFrame([row, row, {**row, "timestamp": "2021-03-02"}]).to_csv(tmp_path / "ahead.csv", index=False)
    with pytest.raises(DataError, match="2021-03-01"):
        read_known(tmp_path / "ahead.csv", ("promo",), ("target",), Format())
