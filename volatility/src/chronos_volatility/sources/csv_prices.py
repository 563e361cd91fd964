"""Daily prices from a CSV as people have it: names of columns in any case and spelling, dates and numbers in most forms."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass

import pandas as pd

from chronos_volatility.sources.base import SourceError

# Names that vendors give to columns, without case, spaces and punctuation; the first that is there counts.
NAMES = {
    "date": ("date", "datetime", "timestamp", "time", "day", "tradingday", "tradedate"),
    "open": ("open", "o", "openprice", "1open", "pxopen"),
    "high": ("high", "h", "highprice", "2high", "max", "pxhigh"),
    "low": ("low", "l", "lowprice", "3low", "min", "pxlow"),
    "close": ("close", "c", "closeprice", "4close", "closelast", "last", "price", "settle", "pxlast"),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "closeadjusted", "5adjustedclose", "adjusted"),
    "volume": ("volume", "vol", "v", "totalvolume", "6volume", "5volume", "pxvolume"),
    "dividend": ("dividend", "dividends", "dividendamount", "7dividendamount"),
    "split": ("split", "splits", "stocksplits", "splitcoefficient", "8splitcoefficient"),
    "symbol": ("symbol", "ticker", "sym", "code"),
}
NEEDED = ("date", "open", "high", "low", "close")
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y",
                "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%y")  # fmt: skip
GZIP = b"\x1f\x8b"
_NOTHING = {"", "null", "nan", "none", "n/a", "na", "-", "."}


@dataclass(frozen=True)
class Prices:
    """The columns that were recognised (those of NEEDED and perhaps others) and how exact `adj_close` is written."""

    frame: pd.DataFrame
    adjusted_unit: float
    """The smallest step of `adj_close` as it is written, such as 0.01."""
    ignored: tuple[str, ...]
    """Columns that are none of ours."""


def parse(body: bytes, name: str, *, symbol: str | None = None) -> Prices:
    """Return the prices in the CSV `body`, which may be gzipped, sorted by date. SourceError says what of `name` cannot be read.

    `symbol` chooses rows where the file has a column of symbols.
    """
    header, rows, separator = _rows(body, name)
    places = _places(header, name)
    words = pd.DataFrame(rows, columns=range(len(header)), dtype=object)[list(places.values())]
    words.columns = pd.Index(list(places))
    words = _of_symbol(words, symbol, name)
    frame = pd.DataFrame({"date": _dates(words["date"], name)})
    decimal_comma = _has_decimal_comma(words, separator)
    for column in words.columns.difference(["date", "symbol"], sort=False):
        frame[column] = _numbers(words[column], column, name, decimal_comma)
    unit = _unit(words["adj_close"]) if "adj_close" in words else 0.0
    ignored = tuple(title for position, title in enumerate(header) if position not in places.values() and title)
    return Prices(frame.sort_values("date", ignore_index=True), unit, ignored)


def _rows(body: bytes, name: str) -> tuple[list[str], list[list[str]], str]:
    try:
        text = (gzip.decompress(body) if body.startswith(GZIP) else body).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name} is not UTF-8 text.", hint="Export it as CSV.") from error
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    separator = max(",;\t|", key=first.count)
    if first.count(separator) == 0:
        raise SourceError(f"{name} has no columns.", hint="A first line such as Date,Open,High,Low,Close is needed.")
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text.lstrip()), delimiter=separator)]
    header, rows = rows[0], [row for row in rows[1:] if any(row)]
    if len(rows) > 1 and rows[0][0].lower() == "ticker" and rows[1][0].lower() == "date":
        # yfinance writes three lines of names: Price,Close,… / Ticker,SPY,… / Date,,…
        header, rows = ["Date", *header[1:]], rows[2:]
    if not rows:
        raise SourceError(f"{name} has no rows.")
    for number, row in enumerate(rows, start=2):
        if len(row) > len(header) and any(row[len(header) :]):
            raise SourceError(f"{name}, line {number}: has {len(row)} values for {len(header)} columns.")
    return header, [(row + [""] * len(header))[: len(header)] for row in rows], separator


def _places(header: list[str], name: str) -> dict[str, int]:
    plain = [re.sub(r"[^a-z0-9]", "", title.lower()) for title in header]
    places: dict[str, int] = {}
    for column, names in NAMES.items():
        found = next((known for known in names if known in plain), None)
        if found is None:
            continue
        if plain.count(found) > 1:
            raise SourceError(f"{name} has the column {column} twice.")
        places[column] = plain.index(found)
    if "date" not in places and plain and plain[0] in {"", "index", "unnamed0"}:
        places = {"date": 0, **places}  # a written index has no name
    missing = [column for column in NEEDED if column not in places]
    if missing:
        raise SourceError(f"{name} has no column {', '.join(missing)}.", hint=f"Its columns: {', '.join(header)}.")
    return places


def _of_symbol(words: pd.DataFrame, symbol: str | None, name: str) -> pd.DataFrame:
    if "symbol" not in words:
        return words
    there = list(dict.fromkeys(words["symbol"]))
    if len(there) == 1:
        return words
    if symbol not in there:
        raise SourceError(f"{name} has several symbols ({', '.join(there[:5])}), and none is {symbol}.")
    return words[words["symbol"] == symbol].reset_index(drop=True)


def _dates(words: pd.Series, name: str) -> pd.Series:
    # A time of day, with or without a zone, belongs to the day that is written before it.
    days = words.str.replace(r"[T ]\d{1,2}:\d\d.*$", "", regex=True)
    readings = [
        read for style in DATE_FORMATS if (read := pd.to_datetime(days, format=style, errors="coerce")).notna().all()
    ]
    # 03/04/2018 reads in two ways: the true one has the rows in order, and the days next to each other.
    ordered = [one for one in readings if one.is_monotonic_increasing or one.is_monotonic_decreasing] or readings
    shortest = min((one.max() - one.min() for one in ordered), default=None)
    candidates = [one for one in ordered if one.max() - one.min() == shortest]
    if not candidates:
        for style in DATE_FORMATS:
            read = pd.to_datetime(days, format=style, errors="coerce")
            if read.notna().mean() > 0.5:
                row = int(read.isna().to_numpy().argmax())
                raise SourceError(f"{name}, row {row + 1}: {words.iloc[row]!r} is not a date.")
        raise SourceError(
            f"{name}: {words.iloc[0]!r} is not a date that can be read.", hint="Write dates as 2018-12-07."
        )
    if any((one != candidates[0]).any() for one in candidates[1:]):
        raise SourceError(f"{name}: the dates can be read with the day or the month first.", hint="Write 2018-12-07.")
    return candidates[0].astype("datetime64[ns]")


def _has_decimal_comma(words: pd.DataFrame, separator: str) -> bool:
    """Return whether 2633,08 is meant as a number with decimals."""
    prices = pd.concat([words[name] for name in NEEDED[1:]])
    if prices.str.contains(r"\.\d{3},\d+$").any():  # 2.633,08
        return True
    if prices.str.contains(".", regex=False).any():
        return False
    # A comma after which there are not three digits separates no thousands, nor does one beside semicolons.
    return bool(prices.str.contains("," if separator == ";" else r",\d{1,2}$|,\d{4,}$").any())


def _numbers(words: pd.Series, column: str, name: str, decimal_comma: bool) -> pd.Series:
    plain = words.str.replace(r"[$€£%\s']", "", regex=True)
    if decimal_comma:
        plain = plain.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        plain = plain.str.replace(",", "", regex=False)
    plain = plain.where(~plain.str.lower().isin(_NOTHING), None)
    if column == "volume":  # 3.52B
        units = plain.str.extract(r"([KMB])$", flags=re.IGNORECASE, expand=False).str.upper()
        scale = units.map({"K": 1e3, "M": 1e6, "B": 1e9}).fillna(1.0)
        plain = plain.str.replace(r"[KMBkmb]$", "", regex=True)
    if column == "split":  # 2:1
        plain = plain.str.replace(r"^(\d+(?:\.\d+)?):1$", r"\1", regex=True)
    numbers = pd.to_numeric(plain, errors="coerce").astype("float64")
    wrong = numbers.isna() & plain.notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise SourceError(f"{name}, row {row + 1}: {column} is {words.iloc[row]!r}, which is not a number.")
    return numbers * scale if column == "volume" else numbers


def _unit(words: pd.Series) -> float:
    decimals = words.str.extract(r"[.,](\d+)$", expand=False).str.len().max()
    return 1.0 if decimals != decimals else float(10.0**-decimals)
