"""Prices from files that a person has: one CSV a symbol."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from chronos_volatility.sources.adjusted import from_adjusted_close
from chronos_volatility.sources.base import Answer, SourceError
from chronos_volatility.sources.csv_prices import parse


class PriceFile:
    """One file's prices. Dividends and splits are its own columns, or follow from its adjusted close, or are none."""

    def __init__(self, path: Path, symbol: str) -> None:
        """`symbol` chooses rows where the file has several."""
        self.path, self.symbol = path, symbol

    @cached_property
    def answer(self) -> Answer:
        """All that the file has. SourceError when it cannot be read."""
        try:
            body = self.path.read_bytes()
        except OSError as error:
            raise SourceError(f"Could not read {self.path}: {error.strerror}.") from error
        return answer_of(body, self.path.name, self.symbol)


def answer_of(body: bytes, name: str, symbol: str) -> Answer:
    """Return all prices of `symbol` in the CSV `body`, the file `name`. SourceError when it cannot be read."""
    prices = parse(body, name, symbol=symbol)
    frame, notes = prices.frame, []
    if "dividend" not in frame and "split" not in frame and "adj_close" in frame:
        frame = frame[frame["close"].notna()].reset_index(drop=True)
        frame = from_adjusted_close(type(prices)(frame, prices.adjusted_unit, prices.ignored), name)
    frame = frame.drop(columns="adj_close", errors="ignore")
    if "volume" not in frame:
        frame["volume"] = float("nan")
    frame["dividend"] = frame["dividend"].fillna(0.0) if "dividend" in frame else 0.0
    # Vendors write a day without a split as 0, as 1 or as nothing.
    frame["split"] = frame["split"].replace(0.0, 1.0).fillna(1.0) if "split" in frame else 1.0
    if prices.ignored:
        notes.append(f"columns of {name} that are not used: {', '.join(prices.ignored)}")
    return Answer(frame, tuple(notes))


class Files:
    """The source `file`."""

    name, live, explicit = "file", False, True

    def __init__(self, paths: dict[str, Path]) -> None:
        """`paths` has a CSV for each symbol."""
        self._files = {symbol: PriceFile(path, symbol) for symbol, path in paths.items()}

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return symbol in self._files

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        found = self._files[symbol].answer
        frame = found.frame
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)], found.notes)
