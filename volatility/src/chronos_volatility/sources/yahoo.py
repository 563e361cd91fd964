"""Yahoo's daily prices through yfinance. It is nobody's contract: it answers 429 at will, so it needs a fallback.

yfinance 1.7.0, `scrapers/history.py`: with auto_adjust=False, prices and dividends are divided by later splits, and
dividends are not taken out; an index of midnights in the exchange's zone; the end is exclusive; without an error it logs
and gives an empty table, unless `config.debug.hide_exceptions` is off; a rate limit raises always.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from chronos_volatility.sources.adjusted import undo_splits
from chronos_volatility.sources.base import COLUMNS, Answer, SourceBusy, SourceError

# Yahoo's names of indexes begin with a caret; those of funds and shares are their tickers.
TICKERS = {"SPX": "^GSPC", "VIX": "^VIX", "VIX3M": "^VIX3M"}
INDEXES = frozenset({"^GSPC", "^VIX", "^VIX3M"})
_COLUMNS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume",
            "Dividends": "dividend", "Stock Splits": "split"}  # fmt: skip
TIMEOUT = 30.0

History = Callable[[str, str], pd.DataFrame]


class Yahoo:
    """The source `yahoo`: any ticker."""

    name, live, explicit = "yahoo", True, False

    def __init__(self, history: History | None = None) -> None:
        """`history` returns yfinance's table of a ticker from a day on; by default it asks Yahoo."""
        self._history = history or ask

    def has(self, symbol: str) -> bool:
        """See `Source.has`. Only an answer can tell."""
        return True

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`. It is asked until now, whatever `last` is: a later split has changed earlier prices."""
        ticker = TICKERS.get(symbol, symbol)
        found = self._history(ticker, f"{first:%Y-%m-%d}")
        missing = [name for name in _COLUMNS if name not in found]
        if found.empty or missing:
            raise SourceError(
                f"yahoo has no prices of {ticker} from {first.date()}"
                + (f" ({', '.join(missing)} missing)." if not found.empty else ".")
            )
        frame = found[list(_COLUMNS)].rename(columns=_COLUMNS).astype("float64")
        # A midnight in New York is the day's name, whatever day it is in UTC.
        days = pd.DatetimeIndex(found.index).tz_localize(None).normalize().as_unit("ns")
        frame = frame.assign(date=days, split=frame["split"].replace(0.0, 1.0)).reset_index(drop=True)
        if ticker in INDEXES:
            frame = frame.assign(volume=frame["volume"].where(frame["volume"] > 0))
        frame = undo_splits(frame)[list(COLUMNS)]
        return Answer(frame[frame["date"] <= last])


def ask(ticker: str, first: str) -> pd.DataFrame:
    """Return yfinance's daily table of `ticker` from `first` until now. SourceBusy or SourceError."""
    import yfinance  # half a second, and a database of its own: only for whoever asks
    from yfinance.exceptions import YFException, YFRateLimitError

    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it logs is raised as well
    settings: Any = yfinance.config
    settings.debug.hide_exceptions = False
    try:
        return yfinance.Ticker(ticker).history(
            start=first, interval="1d", auto_adjust=False, actions=True, timeout=TIMEOUT
        )
    except YFRateLimitError as error:
        raise SourceBusy("yahoo answers 429: too many requests.", hint="Try again in an hour.") from error
    except YFException as error:
        raise SourceError(f"yahoo has no prices of {ticker}: {error}.") from error
    except Exception as error:  # requests' and curl's errors, and whatever an unexpected answer makes of its parsing
        words = str(error).partition(" See http")[0].rstrip(".")
        raise SourceBusy(f"yahoo does not answer for {ticker}: {type(error).__name__}: {words}.") from error
