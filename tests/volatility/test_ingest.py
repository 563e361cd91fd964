"""Days as they come: new, late, missing, restated, with splits and dividends, short and closed; killed and run again."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.ingest.curate import curate, keep_stored
from chronos_volatility.ingest.market import Outcome, Request, ingest
from chronos_volatility.settings import LIVE, OFFLINE, SIMULATED
from chronos_volatility.sources.base import Answer, SourceBusy
from chronos_volatility.sources.synthetic import Synthetic
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import DyingStorage, Killed, raw

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = "2018-10-01"
SETTINGS = dataclasses.replace(LIVE, first_session=BEGIN, optional=("TLT",), sources=("wire",))
RAW, CURATED = "raw.market", "curated.market_daily"


class Wire:
    """A live source: a table a symbol, until a session, which a test changes like a vendor does."""

    name, live, explicit = "wire", True, False

    def __init__(self, until: str = "2018-12-06") -> None:
        days = get_calendar().sessions(BEGIN, "2019-01-31")
        wave = np.sin(np.arange(len(days)))
        self.tables = {name: self._table(days, level + size * wave) for name, level, size in
                       (("SPY", 270.0, 2.0), ("VIX", 20.0, 3.0), ("TLT", 115.0, 0.5))}  # fmt: skip
        self.until = dict.fromkeys(self.tables, pd.Timestamp(until))

    @staticmethod
    def _table(days: pd.DatetimeIndex, close: np.ndarray) -> pd.DataFrame:
        frame = pd.DataFrame({"date": days, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close})
        return frame.assign(volume=1e6, dividend=0.0, split=1.0)

    def reach(self, day: str, *symbols: str) -> None:
        """Have the symbols (all) until `day`."""
        for symbol in symbols or self.tables:
            self.until[symbol] = pd.Timestamp(day)

    def change(self, symbol: str, day: str, factor: float = 1.0, **values: float) -> None:
        """Restate a day: prices by a factor, other columns to values."""
        row = self.tables[symbol]["date"] == day
        self.tables[symbol].loc[row, ["open", "high", "low", "close"]] *= factor
        for name, value in values.items():
            self.tables[symbol].loc[row, name] = value

    def has(self, symbol: str) -> bool:
        return symbol in self.tables

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        frame = self.tables[symbol]
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= min(last, self.until[symbol]))])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def run(storage: FolderStorage, wire: Any, moment: str = "2018-12-06 18:05", **options: Any) -> Outcome:
    settings = options.pop("settings", SETTINGS)
    return ingest(storage, settings, [wire], Request(at(moment), **options))


def counts(outcome: Outcome) -> tuple[int, int]:
    return len(outcome.written[RAW]), len(outcome.written[CURATED])


def series(storage: FolderStorage, symbol: str, column: str, table: str = CURATED, **options: Any) -> pd.Series:
    rows = tables.read(storage, table, **options)
    return rows[rows["symbol"] == symbol].set_index("date")[column]


def test_a_day_is_added_and_twice_is_once(storage: FolderStorage) -> None:
    wire = Wire()
    assert counts(run(storage, wire)) == (47, 47)
    assert counts(run(storage, wire, "2018-12-07 07:00")) == (0, 0)
    wire.reach("2018-12-07")
    outcome = run(storage, wire, "2018-12-07 18:05")
    assert counts(outcome) == (1, 1) and outcome.notes == [] and outcome.until == pd.Timestamp("2018-12-07")
    assert settings_of.of(storage) == SETTINGS
    rows = tables.read(storage, CURATED)
    spy = wire.tables["SPY"].set_index("date").loc[:"2018-12-07", "close"]
    assert series(storage, "SPY", "ret").iloc[1:].to_numpy() == pytest.approx(np.diff(np.log(spy)))
    assert np.isnan(series(storage, "SPY", "ret").iloc[0]) and set(rows["symbol"]) == {"SPY", "VIX", "TLT"}
    assert series(storage, "SPY", "adj_close").to_numpy() == pytest.approx(spy.to_numpy())


def test_a_day_costs_a_day(storage: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, reads = Wire("2019-01-30"), []
    run(storage, wire, "2019-01-30 18:05")
    wire.reach("2019-01-31")
    real = FolderStorage.read
    monkeypatch.setattr(FolderStorage, "read", lambda self, key: reads.append(key) or real(self, key))
    assert counts(run(storage, wire, "2019-01-31 18:05")) == (1, 1)
    days = {key.split("date=")[1][:10] for key in reads if "date=" in key}
    assert len(days) <= SETTINGS.overlap + 10 and len(reads) < 4 * SETTINGS.overlap


def test_what_has_not_closed_is_not_stored(storage: FolderStorage) -> None:
    wire = Wire("2018-12-07")  # the vendor shows the present session while it lasts
    run(storage, wire, "2018-12-07 11:00")
    assert tables.read(storage, RAW)["date"].max() == pd.Timestamp("2018-12-06")


def test_a_required_symbol_that_is_late_stops_the_line(storage: FolderStorage) -> None:
    wire = Wire()
    wire.reach("2018-12-04", "VIX")
    with pytest.raises(DataError) as error:
        run(storage, wire)
    assert (
        "raw.market: nothing was written: column symbol, row 2018-12-06: VIX missing on the session that is due"
        in str(error.value)
    )
    assert "wire has VIX until 2018-12-04 only" in str(error.value)
    assert storage.keys("") == []
    wire.reach("2018-12-06")
    assert counts(run(storage, wire)) == (47, 47)


def test_an_optional_symbol_that_is_late_joins_its_day(storage: FolderStorage) -> None:
    wire = Wire()
    wire.reach("2018-12-04", "TLT")
    outcome = run(storage, wire)
    assert counts(outcome) == (47, 47) and outcome.notes == ["wire has TLT until 2018-12-04 only"]
    wire.reach("2018-12-06", "TLT")
    assert counts(run(storage, wire, "2018-12-07 07:00")) == (1, 1)
    rows = tables.read(storage, CURATED)
    assert rows.attrs["reasons"] == {"2018-12-06": "late: TLT"} and len(rows) == 3 * 47
    assert "TLT" not in set(tables.read(storage, CURATED, first="2018-12-06", as_of=at("2018-12-07 00:00"))["symbol"])


def test_a_new_symbol_brings_its_history(storage: FolderStorage) -> None:
    wire = Wire()
    tlt = wire.tables.pop("TLT")
    outcome = run(storage, wire)
    assert outcome.notes == ["no source has TLT"] and counts(outcome) == (47, 47)
    wire.tables["TLT"] = tlt
    wire.reach("2018-12-06")
    assert counts(run(storage, wire)) == (47, 47)
    assert len(series(storage, "TLT", "ret")) == 47


def test_few_missing_sessions_are_told_and_many_refused(storage: FolderStorage) -> None:
    wire = Wire()
    spy = wire.tables["SPY"]
    wire.tables["SPY"] = spy[spy["date"] != "2018-11-15"]
    outcome = run(storage, wire)
    assert outcome.notes == ["sessions without a price: row 2018-11-15 SPY"]
    ret = series(storage, "SPY", "ret")
    assert ret["2018-11-16"] == pytest.approx(
        np.log(spy.set_index("date")["close"]["2018-11-16"] / spy.set_index("date")["close"]["2018-11-14"])
    )
    wire.tables["SPY"] = spy[~spy["date"].between("2018-11-14", "2018-11-15")]
    with pytest.raises(
        DataError, match=r"rows 2018-11-14 SPY, 2018-11-15 SPY: 2 sessions without a price, more than 1.0%"
    ):
        run(FolderStorage(storage.folder / "other"), wire)
    wire.tables["SPY"] = spy  # the vendor has found it
    run(storage, wire)
    assert tables.read(storage, RAW).attrs["reasons"] == {"2018-11-15": "late: SPY"}
    assert series(storage, "SPY", "ret")["2018-11-16"] == pytest.approx(
        np.log(spy.set_index("date")["close"]).diff()["2018-11-16"]
    )


def test_restated_prices(storage: FolderStorage) -> None:
    wire = Wire()
    run(storage, wire)
    before = tables.read(storage, CURATED)
    wire.change("SPY", "2018-12-03", 1.00005)
    assert counts(run(storage, wire, "2018-12-07 07:00")) == (0, 0)  # rounding at the vendor's
    wire.change("SPY", "2018-12-03", 1.01)
    assert counts(run(storage, wire, "2018-12-07 07:00")) == (1, 2)
    after = tables.read(storage, CURATED)
    assert after.attrs["reasons"] == {
        "2018-12-03": "restated by wire: SPY", "2018-12-04": "follows from 2018-12-03: restated by wire: SPY"
    }  # fmt: skip
    changed = (after["ret"] - before["ret"]).abs() > 1e-6
    assert list(after.loc[changed, "date"].astype(str)) == ["2018-12-03", "2018-12-04"]
    pd.testing.assert_frame_equal(tables.read(storage, CURATED, as_of=at("2018-12-07 00:00")), before)
    wire.change("SPY", "2018-12-04", 1.05)
    with pytest.raises(DataError) as error:
        run(storage, wire, "2018-12-07 07:05")
    assert "row 2018-12-04 SPY: wire says" in str(error.value) and "more than 2.0% is a person's to accept" in str(
        error.value
    )
    pd.testing.assert_frame_equal(tables.read(storage, CURATED), after)
    run(storage, wire, "2018-12-07 07:10", reason="confirmed by the exchange")
    assert tables.read(storage, RAW).attrs["reasons"]["2018-12-04"] == "confirmed by the exchange"


def test_another_vendors_word_is_no_restatement(storage: FolderStorage) -> None:
    wire, other = Wire(), Wire("2018-12-07")
    run(storage, wire)
    other.name = "other"
    other.tables["VIX"]["high"] *= 1.005
    other.change("SPY", "2018-12-04", 1.001)
    outcome = run(storage, other, "2018-12-07 18:05")
    assert counts(outcome) == (1, 1) and tables.read(storage, RAW).attrs["reasons"] == {}
    assert set(tables.read(storage, RAW, first="2018-12-07")["source"]) == {"other"}
    assert counts(run(storage, other, "2018-12-07 18:06", reason="the other is right")) == (19, 19)


def test_an_old_correction_needs_its_day_named(storage: FolderStorage) -> None:
    wire = Wire()
    run(storage, wire)
    wire.change("SPY", "2018-10-10", 1.01)
    assert counts(run(storage, wire)) == (0, 0)  # it is not looked at any more
    outcome = run(storage, wire, first=pd.Timestamp("2018-10-08"))
    assert counts(outcome) == (1, 2)
    assert list(tables.read(storage, CURATED).attrs["reasons"]) == ["2018-10-10", "2018-10-11"]


def test_a_dividend_is_part_of_the_return_also_when_it_is_told_late(storage: FolderStorage) -> None:
    wire = Wire()
    wire.change("SPY", "2018-11-15", dividend=1.35)
    run(storage, wire)
    close = series(storage, "SPY", "close")
    assert series(storage, "SPY", "ret")["2018-11-15"] == pytest.approx(
        np.log((close["2018-11-15"] + 1.35) / close["2018-11-14"])
    )
    wire.change("SPY", "2018-11-30", dividend=0.5)
    assert counts(run(storage, wire)) == (1, 4)  # 30 November to 6 December: the index of returns rises from then on
    ret = series(storage, "SPY", "ret")
    assert series(storage, "SPY", "adj_close").iloc[-1] == pytest.approx(close.iloc[0] * np.exp(ret.sum()))


def test_a_split_is_no_return_and_changes_nothing_before_it(storage: FolderStorage) -> None:
    wire = Wire()
    run(storage, wire)
    later = wire.tables["SPY"]["date"] >= "2018-12-07"
    wire.tables["SPY"].loc[later, ["open", "high", "low", "close"]] /= 2
    wire.change("SPY", "2018-12-07", split=2.0)
    wire.reach("2018-12-07")
    assert counts(run(storage, wire, "2018-12-07 18:05")) == (1, 1)
    assert abs(series(storage, "SPY", "ret")["2018-12-07"]) < 0.02
    wire.change("SPY", "2018-12-07", split=1.0)
    with pytest.raises(DataError, match=r"column split, row 2018-12-07 SPY: wire says 1, stored is 2"):
        run(storage, wire, "2018-12-07 18:10")


def test_a_split_that_nobody_told_stops_the_line(storage: FolderStorage) -> None:
    wire = Wire("2018-12-07")
    wire.change("SPY", "2018-12-07", 0.5)
    with pytest.raises(
        DataError,
        match=r"curated.market_daily: nothing was written: columns ret, row 2018-12-07 SPY: the return is not",
    ):
        run(storage, wire, "2018-12-07 18:05")
    assert storage.keys("") == []


def test_early_closes_and_holidays(storage: FolderStorage) -> None:
    wire = Wire("2018-12-24")
    assert run(storage, wire, "2018-12-24 13:30").until == pd.Timestamp("2018-12-21")
    outcome = run(storage, wire, "2018-12-24 14:05")
    assert counts(outcome) == (1, 1) and outcome.until == pd.Timestamp("2018-12-24")
    outcome = run(storage, wire, "2018-12-25 18:05")
    assert counts(outcome) == (0, 0) and outcome.until == pd.Timestamp("2018-12-24")


def test_after_standing_still_the_line_catches_up(storage: FolderStorage) -> None:
    wire = Wire("2018-10-12")
    run(storage, wire, "2018-10-12 18:05")
    wire.reach("2019-01-31")
    assert counts(run(storage, wire, "2019-01-31 18:05")) == (74, 74)
    assert len(series(storage, "SPY", "ret").dropna()) == 83


def test_without_any_source_nothing_is_written(storage: FolderStorage) -> None:
    class Down(Wire):
        def fetch(self, *_: Any) -> Answer:
            raise SourceBusy("wire answers 429.")

    with pytest.raises(
        DataError, match=r"SPY, VIX missing on the session that is due \(wire answers 429; wire answers 429\)"
    ):
        run(storage, Down())
    assert storage.keys("") == []
    run(storage, Wire())
    outcome = run(storage, Down(), "2018-12-07 07:00")  # the second chance of a day that went well
    assert counts(outcome) == (0, 0) and outcome.notes == ["wire answers 429"] * 3


def test_killed_at_every_write_the_next_run_completes_it(tmp_path: Path) -> None:
    """A history, then a day that also brings a late symbol and a restatement: 3 corrections, and what follows from them."""
    wire = Wire("2018-12-04")
    wire.reach("2018-12-03", "TLT")
    run(FolderStorage(tmp_path / "begin"), wire, "2018-12-04 18:05")
    wire.reach("2018-12-06")
    wire.change("SPY", "2018-11-29", 1.01)
    wanted = None
    for writes in range(50):
        folder = tmp_path / f"{writes}"
        shutil.copytree(tmp_path / "begin", folder)
        try:
            run(DyingStorage(folder, writes), wire)
            died = False
        except Killed:
            died = True
        run(FolderStorage(folder), wire)
        whole = tables.read(FolderStorage(folder), CURATED)
        reasons = {**whole.attrs["reasons"]}
        if wanted is not None:
            pd.testing.assert_frame_equal(whole, wanted)
            assert reasons == wanted.attrs["reasons"]
        wanted = whole
        if not died:
            break
    assert (
        writes == 7
    )  # raw: a new day, a late symbol, a restated day; curated: these, and the day after the restated one
    assert reasons == {"2018-11-29": "restated by wire: SPY", "2018-11-30": "follows from 2018-11-29: restated by wire: SPY",
                       "2018-12-04": "late: TLT"}  # fmt: skip


def test_killed_before_an_old_correction_or_a_new_symbols_history_is_whole(tmp_path: Path) -> None:
    wire = Wire()
    tlt = wire.tables.pop("TLT")
    run(FolderStorage(tmp_path / "begin"), wire)
    for name in ("symbol", "correction"):
        if name == "symbol":
            wire.tables["TLT"] = tlt
            wire.reach("2018-12-07")
            options, total = {}, 2 * 48
        else:
            wire.tables.pop("TLT")
            wire.change("SPY", "2018-10-10", 1.01)
            options, total = {"first": pd.Timestamp("2018-10-08")}, 2 + 1 + 2 * 1
        whole = FolderStorage(tmp_path / name)
        shutil.copytree(tmp_path / "begin", whole.folder)
        run(whole, wire, "2018-12-07 18:05", **options)
        for writes in (0, total // 2, total - 1):
            folder = tmp_path / f"{name}{writes}"
            shutil.copytree(tmp_path / "begin", folder)
            with pytest.raises(Killed):
                run(DyingStorage(folder, writes), wire, "2018-12-07 18:05", **options)
            run(FolderStorage(folder), wire, "2018-12-07 18:05", **options)
            for table in (RAW, CURATED):
                found, wanted = tables.read(FolderStorage(folder), table), tables.read(whole, table)
                pd.testing.assert_frame_equal(found, wanted)
                assert found.attrs["reasons"] == wanted.attrs["reasons"]


def test_a_correction_that_a_killed_run_began_and_the_source_took_back(storage: FolderStorage) -> None:
    wire = Wire()
    run(storage, wire)
    before = tables.read(storage, CURATED)
    wire.change("SPY", "2018-12-03", 1.01)
    with pytest.raises(Killed):
        run(DyingStorage(storage.folder, 1), wire)
    wire.change("SPY", "2018-12-03", 1 / 1.01)
    run(storage, wire)
    after = tables.read(storage, CURATED)
    pd.testing.assert_frame_equal(after, before)
    assert after.attrs["reasons"] == {"2018-12-03": "made again from raw.market"}


def test_the_first_run_killed_anywhere_is_completed(tmp_path: Path) -> None:
    wire = Wire()
    run(FolderStorage(tmp_path / "whole"), wire)
    wanted = tables.read(FolderStorage(tmp_path / "whole"), CURATED)
    for writes in (0, 30, 47, 93):
        folder = tmp_path / f"{writes}"
        with pytest.raises(Killed):
            run(DyingStorage(folder, writes), wire)
        run(FolderStorage(folder), wire)
        pd.testing.assert_frame_equal(tables.read(FolderStorage(folder), CURATED), wanted)


def test_a_long_history_gets_its_snapshot_even_if_its_first_run_was_killed(tmp_path: Path) -> None:
    wire, settings = Wire(), dataclasses.replace(SETTINGS, first_session="2017-01-03")
    days = get_calendar().sessions("2017-01-03", "2018-12-31")
    wire.tables = {name: wire._table(days, np.full(len(days), 20.0)) for name in wire.tables}
    with pytest.raises(Killed):
        run(DyingStorage(tmp_path, 400), wire, settings=settings)
    run(FolderStorage(tmp_path), wire, settings=settings)
    assert {key.split("/")[1] for key in FolderStorage(tmp_path).keys("snapshots/")} == {CURATED, RAW}


def test_what_the_prices_are_of_cannot_change(storage: FolderStorage) -> None:
    wire = Wire()
    run(storage, wire)
    for other in (
        dataclasses.replace(SETTINGS, target="TLT", required=("TLT", "SPY", "VIX"), optional=()),
        dataclasses.replace(SETTINGS, calendar="XETR"),
        dataclasses.replace(SETTINGS, first_session="2018-10-02"),
        dataclasses.replace(SETTINGS, sources=("synthetic",)),
    ):
        with pytest.raises(ConfigurationError, match="was begun with"):
            settings_of.keep(storage, other)
    more = dataclasses.replace(SETTINGS, closed=("2018-12-05",), sources=("wire", "cboe"))
    settings_of.keep(storage, more)
    assert settings_of.of(storage) == more
    with pytest.raises(ConfigurationError, match="must not mix"):
        dataclasses.replace(SIMULATED, sources=("synthetic", "yahoo"))


@pytest.mark.parametrize(("body", "words"), [
    (b"{", "is not JSON"), (b"[]", "is not a JSON object"), (b'{"taget": "SPX"}', "'taget', which is not a setting"),
    (b'{"sources": "yahoo"}', 'sources must be a list of words, not "yahoo"'), (b'{"max_missing": "1"}', "must be a number"),
    (b'{"overlap": 1.5}', "must be a whole number"), (b'{"overlap": 5}', "overlap must be more than the 16"),
    (b'{"target": 7}', "must be a word"), (b'{"target": ""}', "need a target"), (b'{"optional": ["VIX"]}', "VIX both as"),
    (b'{"restated_accepted": 0}', "restated_ignored must be"),
])  # fmt: skip
def test_settings_that_cannot_be_meant(body: bytes, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        settings_of.parse(body, "settings.json", OFFLINE)
    assert words in str(error.value)


def test_curated_rows_by_hand() -> None:
    rows = raw(
        ("2018-12-03", "SPY", 100.0),
        ("2018-12-04", "SPY", 51.0),
        ("2018-12-06", "SPY", 50.0),
        ("2018-12-03", "VIX", 20.0),
    )
    rows.loc[1, "split"], rows.loc[2, "dividend"] = 2.0, 0.5
    before = pd.DataFrame({"symbol": ["SPY"], "close": [99.0], "adj_close": [200.0]})
    spy = curate(rows, before).query("symbol == 'SPY'")
    assert spy["ret"].to_numpy() == pytest.approx([np.log(100 / 99), np.log(102 / 100), np.log(50.5 / 51)])
    assert spy["adj_close"].to_numpy() == pytest.approx([200 * 100 / 99, 200 * 102 / 99, 200 * 102 / 99 * 50.5 / 51])
    alone = curate(rows, before.head(0)).query("symbol == 'VIX'")
    assert alone["ret"].isna().all() and list(alone["adj_close"]) == [20.0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=9), st.data())
def test_a_chain_that_is_continued_is_the_chain_made_at_once(steps: list[float], data: st.DataObject) -> None:
    days = get_calendar().sessions("2018-11-01", "2018-12-07")[: len(steps)]
    close = 100 * np.exp(np.cumsum(steps))
    rows = raw(*[(str(day.date()), "SPY", value) for day, value in zip(days, close, strict=True)])
    rows["dividend"] = data.draw(st.lists(st.sampled_from([0.0, 1.5]), min_size=len(steps), max_size=len(steps)))
    rows["split"] = data.draw(st.lists(st.sampled_from([1.0, 2.0]), min_size=len(steps), max_size=len(steps)))
    cut = data.draw(st.integers(1, len(steps) - 1))
    whole = curate(rows, rows.head(0).assign(adj_close=0.0))
    begin = curate(rows.iloc[:cut], rows.head(0).assign(adj_close=0.0))
    rest = curate(rows.iloc[cut:], begin.tail(1))
    pd.testing.assert_frame_equal(pd.concat([begin, rest], ignore_index=True), whole, rtol=1e-12)
    kept = keep_stored(whole, pd.concat([begin, rest]))
    assert kept["adj_close"].tolist() == [*begin["adj_close"], *rest["adj_close"]]  # to the last bit


def test_made_up_prices_are_marked_in_every_table(storage: FolderStorage) -> None:
    settings = dataclasses.replace(SIMULATED, first_session="2018-09-04")
    ingest(storage, settings, [Synthetic(begins="2018-09-04")], Request(at("2018-12-07 18:05")))
    rows = tables.read(storage, CURATED)
    assert set(rows["symbol"]) == {"SPY", "VIX", "VIX3M", "TLT", "HYG"} and rows.attrs["synthetic"]
    for what in (storage, rows, tables.read(storage, RAW)):
        with pytest.raises(DataError, match="must not be scored"):
            tables.refuse_synthetic(what, "scored")
