"""`volatility ingest` and `volatility check` as a person runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.cli import main
from chronos_volatility.sources.yahoo import Yahoo
from chronos_volatility.storage import FolderStorage

Said = pytest.CaptureFixture[str]


def stranger(path: Path, calendar: str = "XNYS", first: str = "2018-01-02", last: str = "2018-12-07") -> Path:
    """A share's prices as one downloads them: newest first, American dates, an adjusted close."""
    days = get_calendar(calendar).sessions(first, last)
    close = 100 * np.exp(np.cumsum(0.01 * np.sin(np.arange(len(days)))))
    paid = np.where(np.arange(len(days)) >= 100, 1.0, 0.99)
    frame = pd.DataFrame({"Date": days.strftime("%m/%d/%Y"), "OPEN": close, "High": close * 1.01, "low": close * 0.99,
                          "Close": close, "Adj Close": close * paid, "Volume": 100, "Comment": "x"})  # fmt: skip
    frame[::-1].to_csv(path, index=False)
    return path


def failed(said: Said, *words: str) -> str:
    assert main(list(words)) == 2
    return said.readouterr().err


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_a_strangers_file(place: str, tmp_path: Path, capsys: Said) -> None:
    path = stranger(tmp_path / "acme.csv")
    assert main(["ingest", "--data", place, "--file", str(path)]) == 0
    said = capsys.readouterr().out
    assert "raw.market: 236 new partitions" in said and f"{place} has the prices of ACME up to 2018-12-07." in said
    assert "note: columns of acme.csv that are not used: Comment" in said
    storage = FolderStorage(Path(place))
    rows = tables.read(storage, "curated.market_daily")
    acme = rows[rows["symbol"] == "ACME"].reset_index(drop=True)
    jump = acme["ret"].iloc[100] - np.log(acme["close"].iloc[100] / acme["close"].iloc[99])
    assert jump == pytest.approx(-np.log(0.99)) and (rows["symbol"] == "VIX").sum() == 236  # the bundled VIX beside it
    assert main(["ingest", "--data", place, "--file", str(path)]) == 0
    assert "raw.market: nothing new" in capsys.readouterr().out
    assert main(["check", "--data", place]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out


def test_a_file_of_another_exchange_needs_its_calendar(place: str, tmp_path: Path, capsys: Said) -> None:
    path = stranger(tmp_path / "dax.csv", "XETR")
    said = failed(capsys, "ingest", "--data", place, "--file", f"DAX={path}")
    assert "column date, rows 2018-01-15 DAX" in said and "is not a session of XNYS" in said and "--calendar" in said
    assert not Path(place).exists()
    assert main(["ingest", "--data", place, "--file", f"DAX={path}", "--calendar", "XETR"]) == 0
    assert settings_of.of(FolderStorage(Path(place))).calendar == "XETR"


@pytest.mark.parametrize(("words", "sentence"), [
    (["--file", "absent.csv"], "Could not read absent.csv"),
    (["--file", "a.csv", "--file", "b.csv"], "--file is given twice for the target"),
    (["--until", "yesterday"], "--until yesterday is not a date"),
    (["--now", "noon"], "--now noon is not a time"),
    (["--now", "2018-12-07T18:05"], "has no time zone"),
    (["--settings", "absent.json"], "Could not read the settings absent.json"),
    (["--source", "recording"], "The source recording needs --recording"),
    (["--calendar", "NYC"], "There is no calendar 'NYC'"),
    (["--target", "SPY"], "no prices of SPY (no source has SPY)"),
    (["--source", "bundled", "--source", "synthetic"], "synthetic is the only source, or none"),
])  # fmt: skip
def test_what_cannot_be_meant_is_a_sentence(place: str, capsys: Said, words: list[str], sentence: str) -> None:
    assert sentence in failed(capsys, "ingest", "--data", place, *words)
    assert not Path(place).exists()


def test_the_bundled_prices_until_a_day(place: str, capsys: Said) -> None:
    words = ["ingest", "--data", place, "--first", "2018-06-01"]
    assert main([*words, "--until", "2018-11-30"]) == 0
    assert main(["ingest", "--data", place]) == 0
    assert "raw.market: 4 new partitions" in capsys.readouterr().out
    assert "was begun with first_session 2018-06-01" in failed(
        capsys, "ingest", "--data", place, "--first", "2018-07-02"
    )
    assert "must not mix" in failed(capsys, "ingest", "--data", place, "--source", "synthetic")


def test_a_live_line_recorded_and_replayed(
    place: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = get_calendar().sessions("2018-09-04", "2018-12-07")

    def fetch(self: Yahoo, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> object:
        from chronos_volatility.sources.base import Answer

        close = 20.0 + np.arange(len(days)) / 100
        frame = pd.DataFrame({"date": days, "open": close, "high": close + 1, "low": close - 1, "close": close})
        frame = frame.assign(volume=1.0, dividend=0.0, split=1.0)
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)])

    monkeypatch.setattr(Yahoo, "fetch", fetch)
    live = ["--profile", "live", "--source", "yahoo", "--first", "2018-09-04", "--now", "2018-12-07T18:05-05:00"]
    assert main(["ingest", "--data", place, *live, "--record", str(tmp_path / "kept")]) == 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "HYG.csv",
        "SPY.csv",
        "TLT.csv",
        "VIX.csv",
        "VIX3M.csv",
    ]
    again = str(tmp_path / "again")
    replay = ["--profile", "live", "--recording", str(tmp_path / "kept"), "--first", "2018-09-04"]
    assert main(["ingest", "--data", again, *replay, "--now", "2018-12-07T18:05-05:00"]) == 0
    capsys.readouterr()
    first, second = (tables.read(FolderStorage(Path(one)), "curated.market_daily") for one in (place, again))
    pd.testing.assert_frame_equal(first, second)


def test_made_up_prices_say_so(place: str, capsys: Said) -> None:
    words = ["--profile", "synthetic", "--first", "2018-06-01", "--now", "2018-12-07T18:05-05:00"]
    assert main(["ingest", "--data", place, *words]) == 0
    assert "(synthetic: they are never scored)" in capsys.readouterr().out
    assert main(["check", "--data", place, "--now", "2018-12-07T18:05-05:00"]) == 0
    assert "The prices are synthetic" in capsys.readouterr().out


def test_check_finds_what_is_wrong(place: str, capsys: Said) -> None:
    words = ["--profile", "synthetic", "--first", "2018-06-01", "--now", "2018-12-07T18:05-05:00"]
    assert "has no data yet" in failed(capsys, "check", "--data", place)
    assert main(["ingest", "--data", place, *words]) == 0
    capsys.readouterr()
    late = ["check", "--data", place, "--now", "2018-12-10T18:05-05:00"]
    assert main(late) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: raw.market ends with 2018-12-07; the session 2018-12-10 is due." in said and "2 problems." in said
    folder = next(Path(place).glob("curated.market_daily/date=2018-11-30"))
    partition = next(folder.iterdir())
    partition.write_bytes(partition.read_bytes()[:-9])
    assert main([*late, "--recent"]) == 1
    said = capsys.readouterr().out
    assert "is not a partition that this program wrote" in said and partition.name in said


def test_the_settings_of_a_run_can_grow(place: str, tmp_path: Path, capsys: Said) -> None:
    words = ["--first", "2018-10-01"]
    assert main(["ingest", "--data", place, *words]) == 0
    extra = tmp_path / "settings.json"
    extra.write_text('{"closed": ["2018-12-05"], "max_abs_ret": 0.5}')
    assert main(["ingest", "--data", place, "--settings", str(extra)]) == 0
    found = settings_of.of(FolderStorage(Path(place)))
    assert (found.closed, found.max_abs_ret, found.first_session) == (("2018-12-05",), 0.5, "2018-10-01")
    extra.write_text('{"max_abs_return": 0.5}')
    assert "'max_abs_return', which is not a setting" in failed(
        capsys, "ingest", "--data", place, "--settings", str(extra)
    )


def test_macro_series_need_a_key(place: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRED_API_KEY", raising=False)
    chosen = tmp_path / "settings.json"
    chosen.write_text('{"macro": ["DGS10"], "first_session": "2018-11-01"}')
    words = ["ingest", "--data", place, "--settings", str(chosen)]
    assert "FRED_API_KEY is not set" in failed(capsys, *words) and not Path(place).exists()
    body = b'{"observations": [{"date": "2018-11-15", "value": "3.11", "realtime_start": "2018-11-16"}]}'
    monkeypatch.setenv("FRED_API_KEY", "k")
    monkeypatch.setattr("chronos_volatility.sources.http.get", lambda url, parameters: body)
    assert main(words) == 0
    rows = tables.read(FolderStorage(Path(place)), "curated.macro_release_aligned")
    assert rows["date"].min() == pd.Timestamp("2018-11-19") and set(rows["value"]) == {3.11}


def test_the_place_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLATILITY_DATA", str(tmp_path / "there"))
    assert main(["ingest", "--first", "2018-11-01"]) == 0
    assert (tmp_path / "there" / "settings.json").is_file()
