"""One ingest of the market: fetch, merge, curate, check, and only then write.

Killed anywhere, the next run completes it. What there is to do follows from raw.market alone, so it is written last: until
then the next run finds the same to do, and finds in curated.market_daily what is done. Within raw.market, corrections come
before new sessions, and days in their order: a symbol whose history is not complete is not in the last session. Each run
looks again at the last `overlap` sessions, which is more than a storage writes at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.ingest.curate import curate, keep_stored
from chronos_volatility.ingest.restated import Merged, merge
from chronos_volatility.ingest.rules import SourceDown, require_few_gaps, require_latest
from chronos_volatility.settings import Settings
from chronos_volatility.sources.base import Source
from chronos_volatility.sources.fallback import Found, find
from chronos_volatility.storage import Storage
from chronos_volatility.tables import MARKET_DAILY, RAW_MARKET
from chronos_volatility.tables.schemas import contract

LOOK_BACK = pd.Timedelta(days=12)  # in which each symbol has a row, or its whole history is read for the last one


@dataclass(frozen=True)
class Request:
    """What is asked for. `first` and `until` are sessions; None: the stored end, and the session that is due."""

    now: datetime
    first: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    reason: str | None = None


@dataclass
class Outcome:
    """What was written, and what a person should know."""

    until: pd.Timestamp
    written: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ingest(storage: Storage, settings: Settings, sources: Sequence[Source], request: Request) -> Outcome:
    """Bring the market tables up to the session that is due. Raises DataError before anything is written."""
    calendar = get_calendar(settings.calendar, settings.closed)
    due = calendar.expected_session(request.now)
    until = min(due, calendar.at_or_before(request.until)) if request.until is not None else due
    last = tables.last_day(storage, RAW_MARKET, until)
    begin = pd.Timestamp(settings.first_session)
    recent = begin if last is None else max(begin, calendar.after(last, 1 - settings.overlap))
    if request.first is not None:
        recent = min(recent, max(begin, request.first))
    stored = tables.read(storage, RAW_MARKET, first=recent)
    found, until = _ask(storage, settings, sources, request, stored, recent, until)
    outcome = Outcome(until, notes=[note for one in found for note in one.notes])
    fetched = _together(found, until, stored)
    if not fetched.empty and fetched["date"].min() < (stored["date"].min() if len(stored) else begin):
        stored = tables.read(storage, RAW_MARKET, first=fetched["date"].min())
    merged = merge(stored, fetched, settings, request.reason)
    whole = _overlay(stored, merged.rows)
    window = whole[whole["date"] <= until]
    answered = [one.symbol for one in found if one.rows is not None]
    require_latest(window, settings, until, {one.symbol: one.notes for one in found}, answered)
    outcome.notes += require_few_gaps(window, settings, min(recent, window["date"].min()), until)
    curated, reasons = _curated(storage, settings, whole, merged, stored.attrs["reasons"], recent, until)
    # The rows of raw.market keep its contract: they were accepted, or stored. What follows from them must as well.
    contract(MARKET_DAILY, settings).validate(curated, after="nothing was written")
    settings_of.keep(storage, settings)
    outcome.written[MARKET_DAILY] = _write(storage, MARKET_DAILY, curated, reasons, request.now)
    outcome.written[RAW_MARKET] = _write(storage, RAW_MARKET, merged.rows, merged.reasons, request.now)
    for table, written in outcome.written.items():
        # Once a week, and after many days: also after those of a run that was killed before it came here.
        if len(written) > settings.overlap or (written and calendar.is_last_of_week(until)):
            tables.refresh_snapshot(storage, table, now=request.now)
    return outcome


def _ask(
    storage: Storage, settings: Settings, sources: Sequence[Source], request: Request, stored: pd.DataFrame,
    recent: pd.Timestamp, until: pd.Timestamp,
) -> tuple[list[Found], pd.Timestamp]:  # fmt: skip
    """Return what the sources have of each symbol, and the last session: a target that is not live ends it.

    A symbol that recent sessions have is asked for from `recent` on, another one from the beginning: that of the target.
    """
    begin, there = pd.Timestamp(settings.first_session), set(stored["symbol"])
    found: list[Found] = []
    for symbol in settings.symbols:
        if symbol != settings.target and symbol not in there and there:
            begin = max(begin, tables.days(storage, RAW_MARKET)[0])
        first = recent if symbol in there else begin
        one = find(symbol, sources, settings, first=first, last=until, stored=stored, fetched_at=request.now)
        found.append(one)
        if symbol == settings.target:
            if request.until is None and not _is_live(symbol, sources):
                until = _end(one, settings)  # a file ends where it ends
            if one.rows is not None:
                begin = max(begin, one.rows["date"].iloc[0]) if not there else begin
    return found, until


def _is_live(symbol: str, sources: Sequence[Source]) -> bool:
    return any(source.live and source.has(symbol) for source in sources)


def _end(found: Found, settings: Settings) -> pd.Timestamp:
    if found.rows is None:
        raise SourceDown(
            f"raw.market: nothing was written: no prices of {settings.target} ({'; '.join(found.notes)}).",
            hint="Give its file with --file." if "file" in settings.sources else "",
        )
    return found.rows["date"].iloc[-1]


def _together(found: list[Found], until: pd.Timestamp, columns: pd.DataFrame) -> pd.DataFrame:
    """Return all rows up to `until`; none, with these columns, when no source answered."""
    rows = pd.concat([one.rows for one in found if one.rows is not None] or [columns.head(0)])
    return rows[rows["date"] <= until].sort_values(["date", "symbol"], ignore_index=True)


def _overlay(stored: pd.DataFrame, changed: pd.DataFrame) -> pd.DataFrame:
    """Return the stored rows with the sessions that change replaced."""
    rest = stored[~stored["date"].isin(changed["date"])]
    parts = [part for part in (rest, changed) if len(part)]
    return pd.concat(parts or [stored]).sort_values(["date", "symbol"], ignore_index=True)


def _curated(
    storage: Storage, settings: Settings, raw: pd.DataFrame, merged: Merged, stored_reasons: dict[str, str],
    recent: pd.Timestamp, until: pd.Timestamp,
) -> tuple[pd.DataFrame, dict[pd.Timestamp, str]]:  # fmt: skip
    """Return the curated rows from the first session that may change on, and why each stored one changes.

    The reasons are those of raw.market. Where it has none, a killed run had come here, and its source says otherwise now.
    """
    calendar = get_calendar(settings.calendar, settings.closed)
    last = tables.last_day(storage, MARKET_DAILY, until)
    begin = pd.Timestamp(settings.first_session) if last is None else calendar.after(last, 1 - settings.overlap)
    begin = min([begin, recent, *merged.rows["date"].head(1)])
    if begin < raw["date"].min():
        earlier = tables.read(storage, RAW_MARKET, first=begin)
        raw, stored_reasons = _overlay(earlier, merged.rows), earlier.attrs["reasons"]
    stored = tables.read(storage, MARKET_DAILY, first=begin)
    rows = keep_stored(curate(raw[raw["date"] >= begin], _last_rows(storage, settings, begin)), stored)
    causes = {pd.Timestamp(day): why for day, why in stored_reasons.items()} | merged.reasons
    days = sorted(causes)
    reasons = {}
    for day in sorted(set(rows["date"]) & set(stored["date"])):
        cause = days[bisect_right(days, day) - 1] if days and days[0] <= day else None
        if cause is None:
            reasons[day] = f"made again from {RAW_MARKET}"
        else:
            reasons[day] = causes[cause] if cause == day else f"follows from {cause.date()}: {causes[cause]}"
    return rows, reasons


def _last_rows(storage: Storage, settings: Settings, begin: pd.Timestamp) -> pd.DataFrame:
    """Return the last curated row of each symbol before `begin`."""
    end = begin - pd.Timedelta(days=1)
    near = tables.read(storage, MARKET_DAILY, first=begin - LOOK_BACK, last=end)
    last = near.groupby("symbol", as_index=False).last()
    if set(settings.symbols) <= set(last["symbol"]) or tables.last_day(storage, MARKET_DAILY, end) is None:
        return last
    return tables.read(storage, MARKET_DAILY, last=end).groupby("symbol", as_index=False).last()


def _write(
    storage: Storage, table: str, rows: pd.DataFrame, reasons: dict[pd.Timestamp, str], now: datetime
) -> list[str]:
    """Write the days of each reason, the one with the earliest day first, then those without one."""
    why = rows["date"].map(reasons)
    written: list[str] = []
    for reason in dict.fromkeys(why.dropna()):
        written += tables.write(storage, table, rows[why == reason], reason=reason, now=now)
    return written + tables.write(storage, table, rows[why.isna()], now=now)
