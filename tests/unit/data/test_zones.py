"""Timestamps with zones, and steps of any length: what is regular in somebody's own clock is taken, and goes on rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.checks import CheckedPanel, check_panel
from chronos_training.data.formats import Format
from chronos_training.data.grid import after
from chronos_training.data.prepare import prepare
from chronos_training.data.validate import validate


def panel_of(stamps: pd.DatetimeIndex | list[str], item: str = "a") -> pd.DataFrame:
    texts = stamps if isinstance(stamps, list) else [stamp.isoformat() for stamp in stamps]
    return pd.DataFrame({"item_id": item, "timestamp": texts, "target": np.arange(float(len(texts)))})


def following(checked: CheckedPanel) -> str:
    last = checked.frame["timestamp"].to_numpy()[-1]
    return str(pd.Timestamp(after(last, np.array([1]), checked.freq)[0]))


# zone, first local date, pandas' frequency of local dates, rows; ours, the next date
LOCAL = [
    ("Europe/Berlin", "2021-01-04", "D", 120, "D", "2021-05-04"),
    ("America/New_York", "2021-01-04", "B", 80, "B", "2021-04-26"),
    ("Asia/Tokyo", "2021-01-04", "B", 80, "B", "2021-04-26"),
    ("Asia/Kolkata", "2013-01-01", "MS", 40, "MS", "2016-05-01"),
    ("Australia/Lord_Howe", "2013-01-01", "MS", 40, "MS", "2016-05-01"),
    ("Pacific/Auckland", "2013-01-01", "QS-JAN", 30, "QS-JAN", "2020-07-01"),
    ("Europe/London", "2013-03-31", "QE-DEC", 30, "QE-DEC", "2020-09-30"),
    ("America/Sao_Paulo", "1990-01-01", "YS-JAN", 30, "YS-JAN", "2020-01-01"),
    ("Asia/Tehran", "2013-12-31", "ME", 40, "ME", "2017-04-30"),
    ("America/Chicago", "2021-01-03", "W-SUN", 60, "W-SUN", "2022-02-27"),
    ("America/Chicago", "2021-01-03", "14D", 60, "14D", "2023-04-23"),
    ("Europe/Berlin", "2021-03-20 17:30", "B", 40, "B", "2021-05-17 17:30"),
    ("Europe/Berlin", "2021-03-20 01:00", "4h", 300, "4h", "2021-05-09 01:00"),
]


@pytest.mark.parametrize(("zone", "first", "theirs", "rows", "freq", "then"), LOCAL)
def test_a_calendar_is_one_of_local_dates(
    tmp_path: Path, zone: str, first: str, theirs: str, rows: int, freq: str, then: str
) -> None:
    local = pd.date_range(first, periods=rows, freq=theirs)
    stamps = local.tz_localize(zone)
    frame = panel_of(stamps)
    checked = check_panel(frame)
    assert (checked.freq, len(checked.frame), checked.findings) == (freq, rows, [])
    assert list(checked.frame["timestamp"]) == list(local)
    assert following(checked) == str(pd.Timestamp(then)) and "local dates" in checked.notes[0]
    # The same from a table with types, and from one without zones.
    frame.to_csv(tmp_path / "text.csv", index=False)
    frame.assign(timestamp=stamps).to_parquet(tmp_path / "zone.parquet")
    frame.assign(timestamp=stamps.tz_convert("UTC")).to_parquet(tmp_path / "utc.parquet")
    frame.assign(timestamp=local).to_csv(tmp_path / "local.csv", index=False)
    forms = {"utc.parquet": Format(zone=zone)}
    digests = {
        prepare(str(tmp_path / name), "x", tmp_path / "out" / name, form=forms.get(name))["digest"]
        for name in ("text.csv", "zone.parquet", "utc.parquet", "local.csv")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("theirs", ["h", "30min", "10min", "5min"])
@pytest.mark.parametrize("first", ["2021-03-27 01:00", "2021-10-30 01:00"])
def test_hours_are_instants_where_clocks_change(first: str, theirs: str) -> None:
    stamps = pd.date_range(pd.Timestamp(first, tz="Europe/Berlin"), periods=600, freq=theirs)
    checked = check_panel(panel_of(stamps))
    assert (checked.freq, len(checked.frame), checked.findings) == (theirs, 600, [])
    assert list(checked.frame["timestamp"]) == list(stamps.tz_convert(None))
    assert checked.notes == ["The timestamps have a time zone: they are kept in UTC, and so are the forecasts."]


def test_dates_of_utc_that_were_written_elsewhere() -> None:
    stamps = pd.date_range("2013-01-01", periods=40, freq="MS", tz="UTC").tz_convert("America/Bogota")
    checked = check_panel(panel_of(stamps))
    assert (checked.freq, str(checked.frame["timestamp"][0])) == ("MS", "2013-01-01 00:00:00")


def test_local_midnights_in_utc_are_refused_with_their_times_of_day_and_taken_with_their_zone(tmp_path: Path) -> None:
    stamps = pd.date_range("2021-01-04", periods=120, freq="D", tz="Europe/Berlin").tz_convert("UTC")
    panel_of([f"{stamp:%Y-%m-%dT%H:%M:%SZ}" for stamp in stamps]).to_csv(tmp_path / "z.csv", index=False)
    with pytest.raises(DataError, match=r"Its times of day are 23:00 and 22:00.*--zone Europe/Berlin"):
        validate(str(tmp_path / "z.csv"))
    summary, findings = validate(str(tmp_path / "z.csv"), form=Format(zone="Europe/Berlin"))
    assert (summary["freq"], summary["rows"], summary["start"], findings) == ("D", 120, "2021-01-04T00:00:00", [])
    with pytest.raises(ConfigurationError, match="'Berlin' is not a known time zone"):
        validate(str(tmp_path / "z.csv"), form=Format(zone="Berlin"))
    panel_of(pd.date_range("2021-01-04", periods=9)).to_csv(tmp_path / "local.csv", index=False)
    with pytest.raises(DataError, match="these carry none"):
        validate(str(tmp_path / "local.csv"), form=Format(zone="Europe/Berlin"))


@pytest.mark.parametrize("zone", ["Z", "+01:00", "+0100", "+01", " -05:00"])
def test_a_zone_in_some_rows_only_is_told(tmp_path: Path, zone: str) -> None:
    stamps = [f"2021-01-{day:02d} 00:00:00{zone if day != 5 else ''}" for day in range(1, 20)]
    panel_of(stamps).to_csv(tmp_path / "some.csv", index=False)
    for form in (Format(), Format(zone="Europe/Berlin")):
        with pytest.raises(DataError, match="1 timestamps have no time zone, while others have one"):
            validate(str(tmp_path / "some.csv"), form=form)
    assert check_panel(panel_of([f"{stamp[:19]}{zone}" for stamp in stamps])).freq == "D"


def test_a_format_with_an_offset_keeps_the_local_date(tmp_path: Path) -> None:
    stamps = pd.date_range("2021-03-20", periods=40, freq="B", tz="Asia/Tokyo")
    panel_of([f"{stamp:%d.%m.%Y %H:%M %z}" for stamp in stamps]).to_csv(tmp_path / "f.csv", index=False)
    summary, findings = validate(str(tmp_path / "f.csv"), form=Format(dates="%d.%m.%Y %H:%M %z"))
    assert (summary["freq"], summary["start"], findings) == ("B", "2021-03-22T00:00:00", [])


@pytest.mark.parametrize(
    ("freq", "first", "more"),
    [
        ("5min", "2021-01-01 00:03", "2min"), ("10min", "2021-01-01 00:07", "3min"), ("4h", "2021-01-01 03:17", "1h"),
        ("12h", "2021-01-01 05:00", "1h"), ("90min", "2021-01-01", "7min"), ("20s", "2021-01-01", "3s"),
        ("2D", "2021-01-01", "1D"), ("14D", "2021-01-05", "7D"), ("28D", "2021-01-05", "9D"), ("91D", "2021-01-05", "9D"),
        ("W-SUN", "2021-01-03", "6D"), ("MS", "2021-01-01", "14D"), ("QS-JAN", "2021-01-01", "31D"),
        ("YS-JAN", "2001-01-01", "151D"), ("B", "2021-01-04 16:00", "30min"), ("D", "2021-01-04 16:00", "30min"),
    ],
)  # fmt: skip
def test_each_series_is_regular_by_itself(tmp_path: Path, freq: str, first: str, more: str) -> None:
    """Steps of any length; a second series that stands at another time of them, or on another day."""
    one = pd.date_range(first, periods=30, freq=freq)
    shifted = one + pd.Timedelta(more)
    if freq in ("QS-JAN", "YS-JAN"):
        shifted = pd.DatetimeIndex([stamp + pd.DateOffset(months=1 if freq[0] == "Q" else 5) for stamp in one])
    frame = pd.concat([panel_of(one), panel_of(shifted, "b"), panel_of(one, "c")])
    checked = check_panel(frame)
    assert (checked.freq, checked.findings) == (freq, [])
    assert list(checked.frame["timestamp"]) == [*one, *shifted, *one]
    frame.to_parquet(tmp_path / "f.parquet")
    prepare(str(tmp_path / "f.parquet"), "x", tmp_path / "out")
    from chronos_training.data.load import load_panel

    panel = load_panel(tmp_path / "out")
    assert list(panel.timestamps(1, 0, 30)) == list(shifted)
    assert panel.row_values(1).tolist() == list(range(30))


def test_two_times_of_day_in_one_series_are_named() -> None:
    stamps = pd.date_range("2021-01-04 16:00", periods=40, freq="B").to_series().reset_index(drop=True)
    stamps[[20, 30]] -= pd.Timedelta(hours=3)
    with pytest.raises(DataError, match=r"2 timestamps do not fit the frequency 'B'.*times of day are 16:00 and 13:00"):
        check_panel(panel_of(pd.DatetimeIndex(stamps)))
