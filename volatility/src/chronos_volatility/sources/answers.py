"""What becomes of a source's answer before anything is compared with it: rows of raw.market, or a refusal in a sentence."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import VOLATILITY_INDEXES, Settings
from chronos_volatility.sources.base import COLUMNS, Answer, SourceError
from chronos_volatility.tables.schemas import PRICES, RAW_MARKET, contract

# The exchange's own history of the VIX has 47 opens outside of the day's range, the last in February 2006.
OPENS_SOUND_FROM = pd.Timestamp("2007-01-01")
ROUNDING = 1e-6  # relative: what a vendor's own rounding moves a price by


def accept(
    answer: Answer, symbol: str, source: str, settings: Settings, fetched_at: datetime,
    first: pd.Timestamp, last: pd.Timestamp,
) -> Answer:  # fmt: skip
    """Return the answer as rows of raw.market from `first` to `last`, with notes of what was left out or repaired.

    Days without any price are no rows. A volatility index is also computed on days on which the exchange is closed; those
    days are left out. Its opens before 2007 are brought into the day's range, as no feature uses them. SourceError names
    what else breaks the contract.
    """
    missing = [name for name in COLUMNS if name not in answer.frame]
    if missing:
        raise SourceError(f"{source} answered for {symbol} without {', '.join(missing)}.")
    frame, notes = answer.frame[list(COLUMNS)], list(answer.notes)
    for name, wanted in (("date", "M"), *((price, "f") for price in PRICES)):
        if frame[name].dtype.kind != wanted:
            raise SourceError(f"{source} answered for {symbol} with a column {name} of type {frame[name].dtype}.")
    frame = frame[(frame["date"] >= first) & (frame["date"] <= last)]
    empty = frame[list(PRICES)].isna().all(axis=1)
    if empty.any():
        notes.append(f"{symbol} without prices, left out: {_days(empty)}")
        frame = frame[~empty]
    if symbol in VOLATILITY_INDEXES:
        frame = _of_index(frame, symbol, settings, notes)
    frame = _widened(frame, symbol, notes)
    if frame.empty:
        raise SourceError(f"{source} has no prices of {symbol} from {first.date()} to {last.date()}.")
    moment = pd.Series(pd.Timestamp(fetched_at).tz_convert("UTC"), frame.index, dtype="datetime64[ns, UTC]")
    rows = frame.assign(symbol=symbol, source=source, fetched_at=moment)
    try:
        rows = contract(RAW_MARKET, settings).validate(rows, after=f"the answer of {source} for {symbol} is refused")
    except DataError as error:
        raise SourceError(error.message, hint=_hint(error.message)) from error
    return Answer(rows, tuple(notes))


def _of_index(frame: pd.DataFrame, symbol: str, settings: Settings, notes: list[str]) -> pd.DataFrame:
    calendar = get_calendar(settings.calendar, settings.closed)
    closed = ~calendar.are_sessions(frame["date"])
    if closed.any():
        notes.append(f"{symbol} while the exchange was closed, left out: {_days(closed)}")
        frame = frame[~closed]
    opens = frame["open"].clip(lower=frame["low"], upper=frame["high"])
    moved = (opens != frame["open"]) & frame["open"].notna() & (frame["date"] < OPENS_SOUND_FROM)
    if moved.any():
        notes.append(f"{symbol} before 2007, open brought into the day's range: {_days(moved)}")
        frame = frame.assign(open=opens.where(moved, frame["open"]))
    return frame


def _widened(frame: pd.DataFrame, symbol: str, notes: list[str]) -> pd.DataFrame:
    """Return `frame` with ranges that hold their open and close, where these are outside by a rounding only."""
    inside = frame[["open", "close"]]
    high, low = frame["high"].clip(lower=inside.max(axis=1)), frame["low"].clip(upper=inside.min(axis=1))
    moved = (high != frame["high"]) & (high <= frame["high"] * (1 + ROUNDING))
    moved_low = (low != frame["low"]) & (low >= frame["low"] * (1 - ROUNDING))
    if not (moved | moved_low).any():
        return frame
    notes.append(f"{symbol}, range widened to open and close by a rounding: {_days(moved | moved_low)}")
    return frame.assign(high=high.where(moved, frame["high"]), low=low.where(moved_low, frame["low"]))


def _days(chosen: pd.Series | np.ndarray) -> str:
    count = int(chosen.sum())
    return f"{count} day{'s' if count > 1 else ''}"


def _hint(message: str) -> str:
    if "is not a session of" in message:
        return "Name the exchange with --calendar."
    if "is not positive" in message:
        return "If only old rows lack prices, begin later with --first."
    return ""
