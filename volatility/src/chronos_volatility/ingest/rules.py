"""What a market table must have as a whole: every required symbol on the last session, and few gaps before it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import Settings
from chronos_volatility.tables.contract import name_rows


class SourceLate(DataError):
    """The sources answered, and do not have the session that is due. Later they may."""


class SourceDown(DataError):
    """No source gave a usable answer. Later one may."""


def require_latest(
    rows: pd.DataFrame,
    settings: Settings,
    until: pd.Timestamp,
    notes: Mapping[str, Iterable[str]],
    answered: Iterable[str],
) -> None:
    """Raise SourceLate unless each required symbol has a row of the session `until`. Its `notes` tell why it has none.

    SourceDown when one that is missing is not among the symbols for which any source `answered`.
    """
    there = set(rows.loc[rows["date"] == until, "symbol"])
    missing = [symbol for symbol in settings.required if symbol not in there]
    if missing:
        told = "; ".join(note for symbol in missing for note in notes.get(symbol, ()))
        kind = SourceLate if set(missing) <= set(answered) else SourceDown
        raise kind(
            f"raw.market: nothing was written: column symbol, row {until.date()}: {', '.join(missing)} missing on the session "
            f"that is due{f' ({told})' if told else ''}.",
            hint="Run it again later; a file with the missing prices can be given with --file.",
        )


def gaps(
    rows: pd.DataFrame, settings: Settings, first: pd.Timestamp, until: pd.Timestamp
) -> dict[str, list[pd.Timestamp]]:
    """Return for each required symbol the sessions without a row, from its first one on (not before `first`) to `until`."""
    calendar = get_calendar(settings.calendar, settings.closed)
    found = {}
    for symbol in settings.required:
        days = pd.DatetimeIndex(rows.loc[rows["symbol"] == symbol, "date"])
        if len(days):
            found[symbol] = list(calendar.sessions(max(first, days.min()), until).difference(days))
    return found


def require_few_gaps(rows: pd.DataFrame, settings: Settings, first: pd.Timestamp, until: pd.Timestamp) -> list[str]:
    """Return notes of the sessions that required symbols lack. DataError when they are more than `max_missing`."""
    calendar = get_calendar(settings.calendar, settings.closed)
    allowed = math.ceil(settings.max_missing * len(calendar.sessions(first, until)))
    notes = []
    for symbol, missing in gaps(rows, settings, first, until).items():
        named = name_rows([f"{day.date()} {symbol}" for day in missing])
        if len(missing) > allowed:
            raise DataError(
                f"raw.market: nothing was written: column date, {named}: {len(missing)} sessions without a price, "
                f"more than {settings.max_missing:.1%} of them.",
                hint="Name the exchange with --calendar if its sessions are others, or begin later with --first.",
            )
        if missing:
            notes.append(f"sessions without a price: {named}")
    return notes
