"""`volatility check`: whether the stored tables are whole, sound and fresh. Exit code 1 when something is not."""

from __future__ import annotations

import argparse
from datetime import datetime

import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.ingest.rules import gaps
from chronos_volatility.settings import SYNTHETIC, Settings
from chronos_volatility.steps.options import add_common, now_of, storage_of
from chronos_volatility.storage import Storage
from chronos_volatility.tables import FEATURES, LABELS, MARKET_DAILY, PREDICTIONS, RAW_MARKET, TABLES
from chronos_volatility.tables.contract import name_rows
from chronos_volatility.tables.schemas import HORIZON

LIVE = {"yahoo", "cboe", "uploaded", SYNTHETIC}
FOUND = 1  # the exit code when something is wrong


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument(
        "--recent", action="store_true", help="read the last sessions only: enough to watch a daily run"
    )


def run(options: argparse.Namespace) -> int:
    """Check, and say what was found."""
    storage = storage_of(options)
    settings = settings_of.of(storage)
    facts, problems = check(storage, settings, now_of(options), recent=options.recent)
    for fact in facts:
        print(fact)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("Nothing is wrong." if not problems else f"{len(problems)} problem{'s' if len(problems) > 1 else ''}.")
    return FOUND if problems else 0


def check(storage: Storage, settings: Settings, now: datetime, *, recent: bool = False) -> tuple[list[str], list[str]]:
    """Return facts about the tables, and what is wrong with them, as sentences.

    With live sources the session that is due is expected of each table that has any rows; otherwise the last one of
    raw.market. Labels are due five sessions later.
    """
    calendar = get_calendar(settings.calendar, settings.closed)
    due = calendar.expected_session(now)
    last = tables.last_day(storage, RAW_MARKET, due)
    if last is None:
        return [], [f"{RAW_MARKET} has no rows."]
    expected = due if LIVE & set(settings.sources) else last
    first = calendar.after(last, 1 - settings.overlap) if recent else None
    facts, problems = [], []
    if SYNTHETIC in settings.sources:
        facts.append("The prices are synthetic: they are never scored.")
    for table in TABLES:
        try:
            rows = tables.read(storage, table, first=first)
        except DataError as error:
            problems.append(str(error))
            continue
        if rows.empty:
            continue
        facts.append(_fact(table, rows))
        problems += _stale(table, rows, calendar.after(expected, -HORIZON) if table == LABELS else expected)
        if table == MARKET_DAILY:
            problems += _uncurated(storage, first)
        if table == RAW_MARKET:
            problems += _missing_symbols(rows, settings)
            facts += _gap_facts(rows, settings)
            facts += _open_facts(rows, settings.target)
    return facts, problems


def _fact(table: str, rows: pd.DataFrame) -> str:
    days = rows["date"]
    corrected = len(rows.attrs["reasons"])
    corrections = f", {corrected} of them corrected" if corrected else ""
    count = days.nunique()
    if count == 1:
        return f"{table}: one day, {days.min().date()}{corrections}"
    return f"{table}: {count:,} days from {days.min().date()} to {days.max().date()}{corrections}"


def _stale(table: str, rows: pd.DataFrame, expected: pd.Timestamp) -> list[str]:
    if table not in {RAW_MARKET, MARKET_DAILY, FEATURES, LABELS, PREDICTIONS} or rows["date"].max() >= expected:
        return []
    return [f"{table} ends with {rows['date'].max().date()}; the session {expected.date()} is due."]


def _missing_symbols(rows: pd.DataFrame, settings: Settings) -> list[str]:
    last = rows["date"].max()
    there = set(rows.loc[rows["date"] == last, "symbol"])
    return [f"{RAW_MARKET} has no {symbol} on {last.date()}." for symbol in settings.required if symbol not in there]


def _uncurated(storage: Storage, first: pd.Timestamp | None) -> list[str]:
    days = [tables.days(storage, table, first) for table in (RAW_MARKET, MARKET_DAILY)]
    lacking = [str(day.date()) for day in days[0].difference(days[1])]
    return (
        [f"{MARKET_DAILY} lacks {name_rows(lacking)}; `volatility ingest --from {lacking[0]}` makes them."]
        if lacking
        else []
    )


def _gap_facts(rows: pd.DataFrame, settings: Settings) -> list[str]:
    found = gaps(rows, settings, rows["date"].min(), rows["date"].max())
    return [
        f"{RAW_MARKET}: {symbol} has no price on {len(missing)} sessions, the last {missing[-1].date()}"
        for symbol, missing in found.items()
        if missing
    ]


def _open_facts(rows: pd.DataFrame, target: str) -> list[str]:
    """Return how often the target's open is the close before it: then it is no opening price, and no overnight gap."""
    prices = rows[rows["symbol"] == target].sort_values("date")
    same = prices["open"] == prices["close"].shift()
    if same.mean() < 0.05:
        return []
    return [
        f"{RAW_MARKET}: the open of {target} is the close before it on {same.mean():.0%} of the sessions, "
        f"the last {prices.loc[same, 'date'].max().date()}: such days have no overnight gap"
    ]
