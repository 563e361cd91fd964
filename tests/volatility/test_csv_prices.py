"""A stranger's CSV: spellings, dates, numbers, adjusted closes; and what cannot be read, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chronos_volatility.sources.adjusted import from_adjusted_close, undo_splits
from chronos_volatility.sources.base import SourceError
from chronos_volatility.sources.csv_prices import DATE_FORMATS, parse

DAYS = pd.to_datetime(["2018-11-30", "2018-12-03", "2018-12-04"])


def read(text: str, **options: str) -> pd.DataFrame:
    return parse(text.encode(), "prices.csv", **options).frame


READABLE = {
    "plain": "date,open,high,low,close\n2018-12-06,1,4,0.5,2\n2018-12-07,2,5,1,3\n",
    "any case, newest first": "Date,OPEN,High,Low,Close\n2018-12-07,2,5,1,3\n2018-12-06,1,4,0.5,2\n",
    "a BOM and blank lines": "\ufeff\nDate,Open,High,Low,Close\n\n2018-12-06,1,4,0.5,2\n2018-12-07,2,5,1,3\n\n",
    "Nasdaq": "Date,Close/Last,Volume,Open,High,Low\n12/07/2018,$3.00,100,$2.00,$5.00,$1.00\n12/06/2018,$2.00,100,$1.00,$4.00,$0.50\n",
    "investing.com": '"Date","Price","Open","High","Low","Vol.","Change %"\n"Dec 07, 2018","3","2","5","1","3.52B","-2.33%"\n'
                     '"Dec 06, 2018","2","1","4","0.5","1.2K","0.1%"\n',
    "semicolons and decimal commas": "Datum;Date;Open;High;Low;Close\nx;06.12.2018;1,0;4,0;0,5;2,0\nx;07.12.2018;2,0;5,0;1,0;3,0\n",
    "tabs": "Date\tOpen\tHigh\tLow\tClose\n20181206\t1\t4\t0.5\t2\n20181207\t2\t5\t1\t3\n",
    "times with zones": "Datetime,Open,High,Low,Close\n2018-12-06 00:00:00-05:00,1,4,0.5,2\n2018-12-07T00:00:00-05:00,2,5,1,3\n",
    "an unnamed index": ",open,high,low,close\n2018-12-06,1,4,0.5,2\n2018-12-07,2,5,1,3\n",
    "yfinance's three lines": "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n2018-12-06,2,4,0.5,1,9\n2018-12-07,3,5,1,2,9\n",
    "R": '"","Date","Open","High","Low","Close","Adj.Close"\n"1","2018-12-06",1,4,0.5,2,2\n"2","2018-12-07",2,5,1,3,3\n',
    "Alpha Vantage": "timestamp,1. open,2. high,3. low,4. close\n2018-12-06,1,4,0.5,2\n2018-12-07,2,5,1,3\n",
    "one of several symbols": "symbol,date,open,high,low,close\nA,2018-12-06,1,4,0.5,2\nB,2018-12-06,9,9,9,9\nA,2018-12-07,2,5,1,3\n",
    "short lines": "date,open,high,low,close,note\n2018-12-06,1,4,0.5,2\n2018-12-07,2,5,1,3\n",
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_what_people_bring_is_read(name: str) -> None:
    frame = read(READABLE[name], symbol="A")
    assert list(frame["date"]) == list(pd.to_datetime(["2018-12-06", "2018-12-07"]))
    assert frame[["open", "high", "low", "close"]].to_numpy().tolist() == [[1, 4, 0.5, 2], [2, 5, 1, 3]]
    if "volume" in frame and name == "investing.com":
        assert list(frame["volume"]) == [1200.0, 3.52e9]


def test_thousands_and_missing_numbers() -> None:
    frame = read(
        'Date,Open,High,Low,Close,Volume\n2018-12-06,"2,663.51","2,696","2,621","2,695.95",null\n2018-12-07,,,,,-\n'
    )
    assert frame["open"].iloc[0] == 2663.51 and frame["high"].iloc[0] == 2696.0
    assert frame[["open", "volume"]].iloc[1].isna().all()
    german = read("Date;Open;High;Low;Close\n06.12.2018;2.663,51;2.696,0;2.621,0;2.695,95\n")
    assert german["open"].iloc[0] == 2663.51 and german["high"].iloc[0] == 2696.0


@pytest.mark.parametrize("style", DATE_FORMATS)
def test_every_form_of_date(style: str) -> None:
    days = pd.to_datetime(["2018-11-28", "2018-11-29", "2018-12-13"])
    text = "\n".join(f'"{day.strftime(style)}";1;1;1;1' for day in days)
    assert list(read(f"date;open;high;low;close\n{text}\n")["date"]) == list(days)


def test_the_order_of_rows_tells_the_day_from_the_month() -> None:
    lines = "\n".join(f"0{month}/0{day}/2018,1,1,1,1" for month, day in ((1, 8), (2, 1), (3, 4)))
    found = read(f"date,open,high,low,close\n{lines}\n")["date"]
    assert list(found) == list(pd.to_datetime(["2018-01-08", "2018-02-01", "2018-03-04"]))


UNREADABLE = {
    "nothing": (b"", "prices.csv has no columns"),
    "no text": (b"PK\x03\x04\xff\xfe", "is not UTF-8 text"),
    "torn": (b"\x1f\x8b\x08\x00torn", "is not UTF-8 text"),
    "a web page": (b"<!DOCTYPE html><html>429</html>", "has no columns"),
    "only names": (b"date,open,high,low,close\n", "has no rows"),
    "no close": (b"date,open,high,low\n2018-12-07,1,1,1\n", "has no column close"),
    "no range": (b"date,close\n2018-12-07,1\n", "has no column open, high, low"),
    "twice": (b"date,open,high,low,close,Close\n2018-12-07,1,1,1,1,1\n", "has the column close twice"),
    "a word": (b"date,open,high,low,close\n2018-12-07,1,1,1,halted\n", "row 1: close is 'halted', which is not a number"),
    "no dates": (b"date,open,high,low,close\nFriday,1,1,1,1\n", "'Friday' is not a date"),
    "one wrong date": (b"date,open,high,low,close\n2018-12-06,1,1,1,1\n2018-13-07,1,1,1,1\n2018-12-10,1,1,1,1\n", "row 2: '2018-13-07' is not a date"),
    "two readings": (b"date,open,high,low,close\n03/04/2018,1,1,1,1\n", "the day or the month first"),
    "too many values": (b"date,open,high,low,close\n2018-12-07,1,1,1,2,633\n", "line 2: has 6 values for 5 columns"),
    "another symbol": (b"symbol,date,open,high,low,close\nA,2018-12-06,1,1,1,1\nB,2018-12-06,1,1,1,1\n", "several symbols (A, B), and none is SPY"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_a_sentence(name: str) -> None:
    body, words = UNREADABLE[name]
    with pytest.raises(SourceError) as error:
        parse(body, "prices.csv", symbol="SPY")
    assert words in str(error.value)


def adjusted(close: list[float], adj_close: list[str]) -> pd.DataFrame:
    lines = "\n".join(
        f"{day.date()},{one},{one},{one},{one},{two}" for day, one, two in zip(DAYS, close, adj_close, strict=True)
    )
    return from_adjusted_close(
        parse(f"Date,Open,High,Low,Close,Adj Close\n{lines}\n".encode(), "prices.csv"), "prices.csv"
    )


def returns(frame: pd.DataFrame) -> np.ndarray:
    return np.log((frame["close"] * frame["split"] + frame["dividend"]) / frame["close"].shift()).to_numpy()[1:]


def test_an_adjusted_close_becomes_dividends() -> None:
    frame = adjusted([100.0, 99.0, 101.0], ["98.019802", "98.019802", "100.0"])  # 1.0 is paid on the second day
    assert frame["dividend"].to_numpy() == pytest.approx([0, 1.0, 0], abs=1e-4) and (frame["split"] == 1).all()
    assert returns(frame) == pytest.approx([0.0, np.log(100 / 98.019802)], abs=1e-6)


def test_an_adjusted_close_becomes_splits() -> None:
    frame = adjusted([100.0, 51.0, 52.0], ["50", "51", "52"])
    assert list(frame["split"]) == [1.0, 2.0, 1.0] and (frame["dividend"] == 0).all()
    assert returns(frame) == pytest.approx([np.log(51 / 50), np.log(52 / 51)])


def test_rounding_is_no_dividend() -> None:
    assert (adjusted([16.66, 16.85, 16.93], ["1.42", "1.44", "1.44"])["dividend"] == 0).all()


def test_an_adjusted_close_that_no_dividend_explains_is_refused() -> None:
    with pytest.raises(SourceError, match="the adjusted close of 2018-12-03 falls by more than the close"):
        adjusted([100.0, 100.0, 100.0], ["100.000", "98.000", "98.000"])
    with pytest.raises(SourceError, match="of 2018-12-04 is not positive"):
        adjusted([100.0, 100.0, 100.0], ["1", "1", "-1"])


def test_prices_are_as_they_were_before_a_split() -> None:
    frame = pd.DataFrame({"date": DAYS, "split": [1.0, 1.0, 2.0], "volume": 200.0, "dividend": [0.0, 0.5, 0.0],
                          **{name: [50.0, 51.0, 52.0] for name in ("open", "high", "low", "close")}})  # fmt: skip
    undone = undo_splits(frame)
    assert list(undone["close"]) == [100.0, 102.0, 52.0]
    assert list(undone["dividend"]) == [0.0, 1.0, 0.0] and list(undone["volume"]) == [100.0, 100.0, 200.0]
    assert returns(undone) == pytest.approx([np.log(51.5 / 50), np.log(52 / 51)])
