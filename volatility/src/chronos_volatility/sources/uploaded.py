"""Prices that somebody else brings: a CSV a symbol in the storage itself, in place of the last one after each close."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from chronos_volatility.sources.base import Answer, SourceBusy
from chronos_volatility.sources.files import answer_of
from chronos_volatility.storage import Storage

PREFIX = "uploads/"


class Uploaded:
    """The source `uploaded`: `uploads/<SYMBOL>.csv`, in any form that a file of a person may have."""

    name, live, explicit = "uploaded", True, False

    def __init__(self, storage: Storage) -> None:
        """The files are those of `storage`."""
        self._storage = storage
        self._answer = lru_cache(maxsize=8)(self._read)

    def has(self, symbol: str) -> bool:
        """See `Source.has`: whether a file is there is seen when it is asked for."""
        return True

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        found = self._answer(symbol)
        frame = found.frame
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)], found.notes)

    def _read(self, symbol: str) -> Answer:
        key = f"{PREFIX}{symbol}.csv"
        body = self._storage.read(key)
        if body is None:
            raise SourceBusy(f"{self._storage.url}/{key} is not there.")
        return answer_of(body, key, symbol)
