"""What a source of prices is, and what it answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd

from chronos_training.core.errors import TrainingError

COLUMNS = ("date", "open", "high", "low", "close", "volume", "dividend", "split")


class SourceError(TrainingError):
    """A source gave no usable answer. Another source, or another hour, may."""

    code = "data_invalid"


class SourceBusy(SourceError):
    """A source does not answer just now: the network, or its limit of requests."""

    code = "service_unavailable"


@dataclass(frozen=True)
class Answer:
    """Prices of one symbol as they were traded: neither splits nor dividends are taken out of earlier ones.

    `frame` has COLUMNS: the day (naive midnight), prices (float64), shares (null when unknown), the dividend a share and
    the split (new shares for an old one, else 1) that take effect on that day. Sorted by date.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = field(default=())
    """What was left out or repaired, in words."""


class Source(Protocol):
    """A source of daily prices."""

    name: str
    live: bool
    """Whether it goes on: the session that is due is expected of it."""

    explicit: bool
    """Whether a person named it for just these prices: then no other source stands in for it."""

    def has(self, symbol: str) -> bool:
        """Return whether it can be asked for `symbol`."""

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """Return what it has of `symbol` from `first` to `last`. Raises SourceError."""
