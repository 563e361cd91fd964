"""The exchange's own history of its volatility indexes, one CSV each from their first day."""

from __future__ import annotations

import pandas as pd

from chronos_volatility.sources import http
from chronos_volatility.sources.base import Answer
from chronos_volatility.sources.csv_prices import parse

# Columns DATE (MM/DD/YYYY), OPEN, HIGH, LOW, CLOSE; a day appears in the evening of that day, Chicago time.
URL = "https://cdn.cboe.com/api/global/us_indices/daily_prices/{symbol}_History.csv"


class Cboe:
    """The source `cboe`: VIX from 1990, VIX3M from 2009."""

    name, live, explicit = "cboe", True, False

    def __init__(self, get: http.Get | None = None) -> None:
        """`get` fetches an address."""
        self._get = get or http.get

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return symbol in {"VIX", "VIX3M"}

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`. The whole history is one small file: there is nothing smaller to ask for."""
        frame = parse(self._get(URL.format(symbol=symbol), {}), f"the exchange's file of {symbol}").frame
        frame = frame[(frame["date"] >= first) & (frame["date"] <= last)]
        return Answer(frame.assign(volume=float("nan"), dividend=0.0, split=1.0))
