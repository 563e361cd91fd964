"""Several sources for one symbol, in order: the first whose answer can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.settings import Settings
from chronos_volatility.sources.answers import accept
from chronos_volatility.sources.base import Answer, Source, SourceError


@dataclass(frozen=True)
class Found:
    """Rows of raw.market of one symbol; empty when no source had any. `notes` tell what happened on the way."""

    symbol: str
    rows: pd.DataFrame | None
    notes: tuple[str, ...]


def find(
    symbol: str,
    sources: Sequence[Source],
    settings: Settings,
    *,
    first: pd.Timestamp,
    last: pd.Timestamp,
    stored: pd.DataFrame,
    fetched_at: datetime,
) -> Found:
    """Return the first believable answer for `symbol` from `first` to `last`.

    A source is passed over when it fails, when its answer breaks the contract, and when its closes contradict those that
    another source gave for the same days (`stored`, rows of raw.market). One that does not have the session `last` is
    passed over as well, unless no other has it. Where a further source also has the symbol, the last days of both must
    agree: otherwise nobody knows which is right, and DataError stops the line; so does a person's file that is no good.
    """
    asked = [source for source in sources if source.has(symbol)]
    notes: list[str] = [] if asked else [f"no source has {symbol}"]
    late: tuple[Source, Answer] | None = None
    for position, source in enumerate(asked):
        answer = _believable(source, symbol, settings, first, last, stored, fetched_at, notes)
        if answer is None:
            continue
        ends = answer.frame["date"].iloc[-1]
        if ends < last:
            if source.live or symbol != settings.target:  # that a file ends is no news
                notes.append(f"{source.name} has {symbol} until {ends.date()} only")
            if late is None or ends > late[1].frame["date"].iloc[-1]:
                late = source, answer
            continue
        notes += answer.notes
        _compare_with_next(source, answer, asked[position + 1 :], symbol, settings, fetched_at, notes)
        return Found(symbol, answer.frame, tuple(notes))
    if late is not None:
        return Found(symbol, late[1].frame, (*notes, *late[1].notes))
    return Found(symbol, None, tuple(notes))


def _believable(
    source: Source, symbol: str, settings: Settings, first: pd.Timestamp, last: pd.Timestamp,
    stored: pd.DataFrame, fetched_at: datetime, notes: list[str],
) -> Answer | None:  # fmt: skip
    try:
        answer = accept(source.fetch(symbol, first, last), symbol, source.name, settings, fetched_at, first, last)
    except SourceError as error:
        if source.explicit:
            raise DataError(error.message, hint=error.hint) from error
        notes.append(str(error).rstrip("."))
        return None
    others = stored[(stored["symbol"] == symbol) & (stored["source"] != source.name)]
    contradiction = contradicts(others, answer.frame, settings.cross_check)
    if contradiction:
        notes.append(f"{source.name} is not believed for {symbol}: {contradiction}")
        return None
    return answer


def _compare_with_next(
    source: Source, answer: Answer, others: Sequence[Source], symbol: str, settings: Settings,
    fetched_at: datetime, notes: list[str],
) -> None:  # fmt: skip
    last_days = answer.frame.tail(settings.overlap)
    first, last = last_days["date"].iloc[0], last_days["date"].iloc[-1]
    for other in others:
        try:
            second = accept(other.fetch(symbol, first, last), symbol, other.name, settings, fetched_at, first, last)
        except SourceError as error:
            notes.append(f"no cross-check of {symbol}: {error}".rstrip("."))
            continue
        contradiction = contradicts(second.frame, last_days, settings.cross_check)
        if contradiction:
            raise DataError(
                f"raw.market: nothing was written: {source.name} and {other.name} contradict each other about {symbol}: "
                f"{contradiction}.",
                hint="Look which is right, and name only that one with --source.",
            )
        return


def contradicts(one: pd.DataFrame, other: pd.DataFrame, tolerance: float) -> str:
    """Return how the closes of two sources differ by more than `tolerance` (relative) on the same days; "" if nowhere."""
    both = one.merge(other, on="date", suffixes=("_one", "_other"))
    apart = (both["close_other"] / both["close_one"] - 1).abs() > tolerance
    if not apart.any():
        return ""
    row = both[apart].iloc[0]
    return (
        f"the close of {row['date']:%Y-%m-%d} is {row['close_other']:.10g} by {row['source_other']} and "
        f"{row['close_one']:.10g} by {row['source_one']}"
        + (f", and {int(apart.sum()) - 1} more" if apart.sum() > 1 else "")
    )
