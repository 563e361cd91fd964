"""Sources and their malformed answers: each is passed over or refused in a sentence, and the order of sources is kept."""

from __future__ import annotations

import io
import json
import urllib.error
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import LIVE, OFFLINE, SIMULATED
from chronos_volatility.sources import http, yahoo
from chronos_volatility.sources.answers import accept
from chronos_volatility.sources.base import Answer, SourceBusy, SourceError
from chronos_volatility.sources.bundled import Bundled
from chronos_volatility.sources.cboe import Cboe
from chronos_volatility.sources.fallback import find
from chronos_volatility.sources.files import Files
from chronos_volatility.sources.fred import Fred
from chronos_volatility.sources.recording import Recorder, Recording
from chronos_volatility.sources.synthetic import SYMBOLS, Synthetic
from chronos_volatility.sources.yahoo import Yahoo
from tests.volatility.conftest import NOW, raw

FIRST, LAST = pd.Timestamp("2018-12-03"), pd.Timestamp("2018-12-07")
SESSIONS = get_calendar().sessions(FIRST, LAST)


def prices(close: float = 100.0, days: pd.DatetimeIndex = SESSIONS, **changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"date": days, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close})
    return frame.assign(volume=1e6, dividend=0.0, split=1.0, **changes)


class Fixed:
    """A source that answers with what it is given."""

    explicit = False

    def __init__(self, name: str, answer: pd.DataFrame | Exception, *, live: bool = True) -> None:
        self.name, self.live, self.answer, self.asked = name, live, answer, 0

    def has(self, symbol: str) -> bool:
        return True

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer)


def found(*sources: Any, symbol: str = "SPY", stored: pd.DataFrame | None = None) -> Any:
    nothing = raw(("2018-12-03", "SPY", 1.0)).head(0)
    return find(
        symbol, sources, LIVE, first=FIRST, last=LAST, stored=nothing if stored is None else stored, fetched_at=NOW
    )


MALFORMED = {
    "without a column": (prices().drop(columns="split"), "answered for SPY without split"),
    "nothing of the days": (prices(days=get_calendar().sessions("2018-11-01", "2018-11-05")), "has no prices of SPY from 2018-12-03 to 2018-12-07"),
    "empty": (prices().head(0), "has no prices of SPY"),
    "all null": (prices().assign(open=np.nan, high=np.nan, low=np.nan, close=np.nan), "has no prices of SPY"),
    "a null close": (prices().assign(close=[1.0, np.nan, *[1.0] * (len(SESSIONS) - 2)]), "column close, row 2018-12-04 SPY: is null"),
    "zeros": (prices().assign(low=0.0), "column low, rows 2018-12-03 SPY, 2018-12-04 SPY, 2018-12-06 SPY and 1 more: is not positive"),
    "negative": (prices(-1.0), "is not positive"),
    "words": (prices().assign(close="100"), "a column close of type object"),
    "low and high exchanged": (prices().rename(columns={"low": "high", "high": "low"}), "low is above open"),
    "a day of mourning": (prices(days=pd.date_range(FIRST, LAST)), "column date, row 2018-12-05 SPY: is not a session of XNYS"),
    "a day twice": (pd.concat([prices(), prices().tail(1)]), "there twice"),
    "infinite": (prices().assign(high=np.inf), "is not finite"),
    "a negative dividend": (prices().assign(dividend=-1.0), "column dividend"),
    "a split of zero": (prices().assign(split=0.0), "column split"),
    "dates as words": (prices().assign(date=SESSIONS.strftime("%Y-%m-%d")), "a column date of type object"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_passed_over_with_a_sentence(name: str) -> None:
    answer, words = MALFORMED[name]
    good = Fixed("second", prices())
    result = found(Fixed("first", answer), good)
    assert set(result.rows["source"]) == {"second"} and len(result.rows) == len(SESSIONS)
    assert words in " ".join(result.notes)
    nothing = found(Fixed("first", answer))
    assert nothing.rows is None and words in " ".join(nothing.notes)


def test_the_first_source_that_answers_counts() -> None:
    busy = Fixed("first", SourceBusy("first answers 429."))
    result = found(busy, Fixed("second", prices()), Fixed("third", prices(100.2)))
    assert set(result.rows["source"]) == {"second"} and "first answers 429" in result.notes


def test_a_late_source_is_passed_over_unless_all_are_late() -> None:
    late = Fixed("late", prices().head(3))
    result = found(late, Fixed("prompt", prices()))
    assert set(result.rows["source"]) == {"prompt"} and "late has SPY until 2018-12-06 only" in result.notes
    result = found(Fixed("later", prices().head(2)), late)
    assert set(result.rows["source"]) == {"late"} and len(result.rows) == 3


def test_two_sources_that_contradict_each_other_stop_the_line() -> None:
    other = prices().assign(close=[100.0, 100.0, 99.2, 100.0])
    with pytest.raises(DataError) as error:
        found(Fixed("first", prices()), Fixed("second", other))
    assert (
        "first and second contradict each other about SPY: the close of 2018-12-06 is 100 by first and 99.2 by second"
        in str(error.value)
    )
    assert found(Fixed("first", prices()), Fixed("second", prices(100.4))).rows is not None
    result = found(Fixed("first", prices()), Fixed("second", SourceBusy("down.")))
    assert "no cross-check of SPY: down" in result.notes


def test_a_source_that_contradicts_what_another_gave_before_is_not_believed() -> None:
    stored = raw(("2018-12-03", "SPY", 50.0)).assign(source="first")
    second = Fixed("second", prices())
    result = found(Fixed("first", SourceBusy("429")), second, stored=stored)
    assert result.rows is None
    assert "second is not believed for SPY: the close of 2018-12-03 is 100 by second and 50 by first" in result.notes
    assert found(Fixed("first", prices()), stored=stored).rows is not None  # its own earlier word is no contradiction


def test_nothing_stands_in_for_a_file_that_is_no_good(tmp_path: Path) -> None:
    path = tmp_path / "spy.csv"
    for text, words in (("Date,vix\n2018-12-07,20\n", "spy.csv has no column open"),
                        ("date,open,high,low,close\n2018-12-07,1,1,1,0\n", "column close, row 2018-12-07 SPY: is not positive")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(DataError, match=words):
            found(Files({"SPY": path}), Fixed("second", prices()))


def test_what_is_odd_in_a_volatility_index() -> None:
    days = pd.DatetimeIndex(pd.to_datetime(["2004-11-08", "2018-12-05", "2018-12-07"]))
    answer = prices(14.0, days).assign(open=[2.58, 14.0, 14.0])
    rows = accept(Answer(answer), "VIX", "x", OFFLINE, NOW, days[0], days[-1])
    assert list(rows.frame["open"]) == [14.0 * 0.99, 14.0] and len(rows.notes) == 2
    with pytest.raises(SourceError, match="low is above open"):
        accept(Answer(prices(14.0).assign(open=2.58)), "VIX", "x", OFFLINE, NOW, FIRST, LAST)


def test_a_range_is_widened_by_a_rounding_and_no_more() -> None:
    answer = prices().assign(high=[101.0, 100.0 - 5e-5, 101.0, 101.0], low=[99.0, 99.0, 100.0 + 5e-5, 99.0])
    rows = accept(Answer(answer), "SPY", "x", LIVE, NOW, FIRST, LAST)
    assert list(rows.frame["high"]) == [101.0, 100.0, 101.0, 101.0] and list(rows.frame["low"]) == [
        99.0,
        99.0,
        100.0,
        99.0,
    ]
    assert rows.notes == ("SPY, range widened to open and close by a rounding: 2 days",)
    with pytest.raises(SourceError, match="close is above high"):
        accept(Answer(prices().assign(high=100.0 - 5e-4)), "SPY", "x", LIVE, NOW, FIRST, LAST)


def test_the_bundled_prices() -> None:
    bundled, begin, end = Bundled(), pd.Timestamp("1990-01-02"), pd.Timestamp("2018-12-07")
    spx = accept(bundled.fetch("SPX", begin, end), "SPX", "bundled", OFFLINE, NOW, begin, end)
    vix = accept(bundled.fetch("VIX", begin, end), "VIX", "bundled", OFFLINE, NOW, begin, end)
    sessions = get_calendar().sessions(begin, end)
    assert spx.notes == () and list(spx.frame["date"]) == list(sessions)
    assert spx.frame["close"].iloc[-1] == 2633.080078
    missing = sessions.difference(pd.DatetimeIndex(vix.frame["date"]))
    assert [str(day.date()) for day in missing] == ["1991-03-01", "1997-01-31", "1997-11-26", "1999-12-31"]
    assert vix.notes == (
        "VIX while the exchange was closed, left out: 1 day",
        "VIX before 2007, open brought into the day's range: 47 days",
    )
    with pytest.raises(ConfigurationError, match="No prices of SPY are bundled"):
        bundled.fetch("SPY", begin, end)


def yahoo_table(close: list[float], **columns: Any) -> pd.DataFrame:
    """As yfinance 1.7 gives it with auto_adjust=False: midnights in New York, no split is 0."""
    index = pd.DatetimeIndex(SESSIONS).tz_localize("America/New_York")
    frame = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close"), close), index=index)
    return frame.assign(**{"Volume": 100, "Dividends": 0.0, "Stock Splits": 0.0, "Capital Gains": 0.0, **columns})


def test_yahoo_prices_are_as_they_were_traded() -> None:
    table = yahoo_table(
        [50.0, 51.0, 52.0, 53.0], **{"Stock Splits": [0.0, 0.0, 2.0, 0.0], "Dividends": [0.0, 0.5, 0.0, 0.0]}
    )
    asked: list[tuple[str, str]] = []

    def history(ticker: str, first: str) -> pd.DataFrame:
        asked.append((ticker, first))
        return table

    frame = Yahoo(history).fetch("SPY", FIRST, SESSIONS[1]).frame  # the split is later than what is asked for
    assert list(frame["close"]) == [100.0, 102.0] and list(frame["dividend"]) == [0.0, 1.0]
    assert list(frame["date"]) == list(SESSIONS[:2]) and frame["date"].dtype == "datetime64[ns]"
    Yahoo(history).fetch("VIX3M", FIRST, LAST)
    assert asked == [("SPY", "2018-12-03"), ("^VIX3M", "2018-12-03")]


@pytest.mark.parametrize(("table", "words"), [
    (pd.DataFrame(columns=["Open", "High", "Low", "Close", "Adj Close", "Volume"]), "yahoo has no prices of SPY from 2018-12-03"),
    (yahoo_table([1.0] * 4).drop(columns="Close"), "Close missing"),
])  # fmt: skip
def test_an_empty_answer_of_yahoo(table: pd.DataFrame, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        Yahoo(lambda ticker, first: table).fetch("SPY", FIRST, LAST)


def test_errors_of_yfinance_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    import yfinance
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError

    errors = [YFRateLimitError(), YFPricesMissingError("SPY", "(1d 2018-12-03 -> )"), KeyError("chart")]

    def history(self: Any, **options: Any) -> pd.DataFrame:
        assert options["auto_adjust"] is False and options["actions"] is True and options["start"] == "2018-12-03"
        assert yfinance.config.debug.hide_exceptions is False
        raise errors.pop(0)

    monkeypatch.setattr(yfinance.Ticker, "history", history)
    for kind, words in (
        (SourceBusy, "yahoo answers 429"), (SourceError, "yahoo has no prices of SPY"), (SourceBusy, "KeyError: 'chart'"),
    ):  # fmt: skip
        with pytest.raises(kind, match=words):
            yahoo.ask("SPY", "2018-12-03")


def test_the_exchanges_file() -> None:
    body = b"DATE,OPEN,HIGH,LOW,CLOSE\n12/05/2018,20,21,19,20\n12/06/2018,21,25,20,21\n12/07/2018,22,23,21,22\n"
    asked: list[str] = []

    def get(url: str, parameters: Mapping[str, str]) -> bytes:
        asked.append(url)
        return body

    source = Cboe(get)
    assert source.has("VIX3M") and not source.has("SPY")
    frame = source.fetch("VIX3M", FIRST, LAST).frame
    assert list(frame["close"]) == [20.0, 21.0, 22.0] and frame["date"].iloc[-1] == LAST
    assert asked == ["https://cdn.cboe.com/api/global/us_indices/daily_prices/VIX3M_History.csv"]
    with pytest.raises(SourceError, match="the exchange's file of VIX has no columns"):
        Cboe(lambda url, parameters: b"<html>Access denied</html>").fetch("VIX", FIRST, LAST)


def test_requests_are_repeated_and_their_errors_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = []
    pauses: list[float] = []

    def urlopen(request: Any, timeout: float) -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, int):
            raise urllib.error.HTTPError(request.full_url, outcome, "", Message(), io.BytesIO())
        if isinstance(outcome, Exception):
            raise outcome
        return io.BytesIO(outcome)

    monkeypatch.setattr(http.urllib.request, "urlopen", urlopen)
    outcomes[:] = [429, TimeoutError("timed out"), b"body"]
    assert http.get("https://host/x", {"api_key": "secret"}, sleep=pauses.append) == b"body" and pauses == [1.0, 2.0]
    outcomes[:] = [503, 503, 429]
    with pytest.raises(SourceBusy, match=r"https://host/x answers 429\.") as error:
        http.get("https://host/x", {"api_key": "secret"}, sleep=pauses.append)
    assert "secret" not in str(error.value)
    outcomes[:] = [404]
    with pytest.raises(SourceError, match="answers 404"):
        http.get("https://host/x", {}, sleep=pauses.append)
    outcomes[:] = [urllib.error.URLError("no address")] * 3
    with pytest.raises(SourceBusy, match="https://host/x does not answer: no address"):
        http.get("https://host/x", {}, sleep=pauses.append)


def test_a_recording_replays_what_a_live_source_said(tmp_path: Path) -> None:
    recorder = Recorder(Fixed("yahoo", prices().head(3)), tmp_path)
    assert recorder.live and recorder.fetch("SPY", FIRST, LAST).frame.equals(prices().head(3))
    Recorder(Fixed("yahoo", prices(101.25).tail(2)), tmp_path).fetch("SPY", FIRST, LAST)
    again = Recording(tmp_path)
    assert again.has("SPY") and not again.has("VIX") and not again.live
    frame = again.fetch("SPY", FIRST, LAST).frame
    assert list(frame["close"]) == [100.0, 100.0, 101.25, 101.25] and list(frame["date"]) == list(SESSIONS)
    (tmp_path / "VIX.csv").write_text("date,open,high,low,close\n2018-12-07,1,1,1,1\n")
    assert again.fetch("VIX", FIRST, LAST).frame["split"].tolist() == [1.0]


def test_a_file_of_another_symbol_or_none(tmp_path: Path) -> None:
    files = Files({"SPY": tmp_path / "absent.csv"})
    assert files.has("SPY") and not files.has("VIX")
    with pytest.raises(SourceError, match=r"Could not read .*absent.csv: No such file"):
        files.fetch("SPY", FIRST, LAST)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_made_up_prices_keep_the_contract(symbol: str) -> None:
    source = Synthetic()
    begin, end = pd.Timestamp("2010-01-04"), pd.Timestamp("2018-12-07")
    rows = accept(source.fetch(symbol, begin, end), symbol, source.name, SIMULATED, NOW, begin, end).frame
    assert len(rows) == len(get_calendar().sessions(begin, end)) and set(rows["source"]) == {"synthetic"}
    ret = np.log((rows["close"] * rows["split"] + rows["dividend"]) / rows["close"].shift())
    if not symbol.startswith("VIX"):
        assert ret.abs().max() < 0.25 and rows["dividend"].gt(0).sum() == 35
    assert rows["split"].max() == (2.0 if symbol == "SPY" else 1.0)
    pd.testing.assert_frame_equal(
        source.fetch(symbol, begin, FIRST).frame, Synthetic(0).fetch(symbol, begin, FIRST).frame
    )
    assert not Synthetic(1).fetch(symbol, begin, FIRST).frame.equals(source.fetch(symbol, begin, FIRST).frame)


def observations(*rows: tuple[str, str, str]) -> bytes:
    names = ("date", "value", "realtime_start")
    return json.dumps({"observations": [dict(zip(names, row, strict=True)) for row in rows]}).encode()


def test_fred_tells_when_a_value_became_known() -> None:
    asked: list[Mapping[str, str]] = []
    answers = [
        observations(("2018-10-01", "252.8", "2018-11-14"), ("2018-11-01", ".", "2018-12-12"), ("2018-11-01", "252.7", "2018-12-12"),
                     ("2018-11-01", "252.6", "2019-02-12")),
        observations(("2018-11-01", "252.6", "2023-11-01"), ("2018-12-01", "252.5", "2023-11-03")),
    ]  # fmt: skip

    def get(url: str, parameters: Mapping[str, str]) -> bytes:
        asked.append(parameters)
        return answers.pop(0)

    frame = Fred("secret", get).fetch("CPIAUCSL", pd.Timestamp("2018-11-01"), pd.Timestamp("2024-01-01"))
    assert [(one["realtime_start"], one["realtime_end"]) for one in asked] == [
        ("2018-11-01", "2023-10-31"),
        ("2023-11-01", "2024-01-01"),
    ]
    assert asked[0]["output_type"] == "1" and asked[0]["observation_start"] == "2018-08-31"
    told = frame[["date", "value", "released_at"]].astype(str).to_numpy().tolist()
    assert told == [["2018-10-01", "252.8", "2018-11-14"], ["2018-11-01", "252.7", "2018-12-12"],
                    ["2018-11-01", "252.6", "2019-02-12"], ["2018-12-01", "252.5", "2023-11-03"]]  # fmt: skip


@pytest.mark.parametrize("body", [
    b"<html>", b"{}", b"[]", b'{"observations": [{}]}', observations(("2018-10-01", "many", "2018-11-14")),
    observations(("October", "1", "2018-11-14")), b'{"error_code": 400}', b'{"observations": 3}',
])  # fmt: skip
def test_an_answer_of_fred_that_is_not_its_own(body: bytes) -> None:
    with pytest.raises(SourceError, match="fred answered for DGS10 in a form that is not its own"):
        Fred("k", lambda url, parameters: body).fetch("DGS10", FIRST, LAST)
