"""`volatility ingest`: prices from sources into raw.market and curated.market_daily, and macro series if any are set."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pandas as pd

from chronos_training.core.errors import ConfigurationError
from chronos_volatility import settings as settings_of
from chronos_volatility.ingest.macro import ingest_macro
from chronos_volatility.ingest.market import Outcome, Request, ingest
from chronos_volatility.settings import PROFILES, SYNTHETIC, Settings
from chronos_volatility.sources.base import Source
from chronos_volatility.sources.bundled import Bundled
from chronos_volatility.sources.cboe import Cboe
from chronos_volatility.sources.files import Files
from chronos_volatility.sources.fred import from_environment
from chronos_volatility.sources.recording import Recorder, Recording
from chronos_volatility.sources.synthetic import Synthetic
from chronos_volatility.sources.uploaded import Uploaded
from chronos_volatility.sources.yahoo import Yahoo
from chronos_volatility.steps.options import add_common, now_of, storage_of
from chronos_volatility.storage import Storage

SOURCES = ("bundled", "file", "uploaded", "recording", "yahoo", "cboe", SYNTHETIC)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    begin = parser.add_argument_group("what to keep (at the first ingest; later ones use what was chosen then)")
    begin.add_argument("--profile", choices=sorted(PROFILES), help="a set of symbols and sources (default: offline)")
    begin.add_argument("--settings", type=Path, metavar="FILE", help="a JSON object of settings, on top of the profile")
    begin.add_argument(
        "--target", metavar="SYMBOL", help="whose volatility is forecast (default: SPX, or the file's name)"
    )
    begin.add_argument("--calendar", metavar="NAME", help="the exchange, a name of exchange_calendars (default: XNYS)")
    begin.add_argument("--first", metavar="DATE", help="nothing before it is kept (default: 1990-01-02)")
    source = parser.add_argument_group("where from")
    source.add_argument(
        "--source", action="append", choices=SOURCES, help="ask only this source; several in their order"
    )
    source.add_argument(
        "--file", action="append", default=[], metavar="[SYMBOL=]CSV", help="daily prices; alone: the target's"
    )
    source.add_argument("--recording", type=Path, metavar="FOLDER", help="replay answers that --record kept")
    source.add_argument("--record", type=Path, metavar="FOLDER", help="keep the answers of live sources")
    source.add_argument("--seed", type=int, default=0, help="of the source synthetic")
    days = parser.add_argument_group("which days")
    days.add_argument("--from", dest="begin", metavar="DATE", help="look again at everything from this session on")
    days.add_argument(
        "--until", metavar="DATE", help="the last session (default: the one that is due, or the file's end)"
    )
    days.add_argument(
        "--reason", help="why stored prices change, where a source differs by more than is taken as it is"
    )


def run(options: argparse.Namespace) -> int:
    """Ingest, and say what was done."""
    storage, now = storage_of(options), now_of(options)
    files = _files(options)
    before = settings_of.stored(storage)
    settings = choose_settings(before, options, files)
    if before is not None:
        settings_of.require_same_prices(before, settings, storage.url)
    sources = _sources(options, settings, files, storage)
    fred = from_environment() if settings.macro else None  # before anything is written
    request = Request(now, _day(options.begin, "--from"), _day(options.until, "--until"), options.reason)
    outcome = ingest(storage, settings, sources, request)
    if fred is not None:
        written, notes = ingest_macro(storage, settings, fred, outcome.until, now)
        outcome.written |= written
        outcome.notes += notes
    _tell(outcome, settings, storage.url)
    return 0


def choose_settings(before: Settings | None, options: argparse.Namespace, files: dict[str | None, Path]) -> Settings:
    """Return the stored settings, changed as the options ask; or, at the first ingest, those that they describe."""
    base = before or PROFILES[options.profile or "offline"]
    if before is not None and options.profile is not None:
        base = dataclasses.replace(PROFILES[options.profile], first_session=before.first_session)
    changes: dict[str, object] = {}
    if before is None and files:
        target = options.target or next((symbol for symbol in files if symbol), None) or files[None].stem.upper()
        others = tuple(symbol for symbol in files if symbol and symbol != target)
        helping = tuple(one for one in ("VIX",) if one not in (*others, target))
        changes = {"target": target, "required": (target, *others), "optional": helping, "sources": ("file", "bundled")}
    elif options.target is not None and options.target != base.target:
        changes = {
            "target": options.target,
            "required": (options.target, *(one for one in base.required if one != base.target)),
        }
    if before is None and options.source and not files:
        changes["sources"] = tuple(options.source)
    if options.calendar is not None:
        changes["calendar"] = options.calendar
    if options.first is not None:
        changes["first_session"] = f"{_day(options.first, '--first'):%Y-%m-%d}"
    chosen = dataclasses.replace(base, **changes)  # type: ignore[arg-type]
    return settings_of.read_file(options.settings, chosen) if options.settings is not None else chosen


def _sources(
    options: argparse.Namespace, settings: Settings, files: dict[str | None, Path], storage: Storage
) -> list[Source]:
    names = list(options.source or settings.sources)
    if files and "file" not in names:
        names.insert(0, "file")
    if options.recording is not None and "recording" not in names:
        names = ["recording"]
    if (SYNTHETIC in names) != (SYNTHETIC in settings.sources):
        raise ConfigurationError("Synthetic and real prices must not mix.", hint="Use another folder or prefix.")
    found = [_source(name, options, settings, files, storage) for name in names]
    return [Recorder(one, options.record) if options.record is not None and one.live else one for one in found]


def _source(
    name: str, options: argparse.Namespace, settings: Settings, files: dict[str | None, Path], storage: Storage
) -> Source:
    if name == "uploaded":
        return Uploaded(storage)
    if name == "file":
        return Files({symbol or settings.target: path for symbol, path in files.items()})
    if name == "recording":
        if options.recording is None:
            raise ConfigurationError("The source recording needs --recording FOLDER.")
        return Recording(options.recording)
    if name == SYNTHETIC:
        return Synthetic(options.seed, settings.calendar, settings.first_session)
    makers: dict[str, type[Source]] = {"bundled": Bundled, "yahoo": Yahoo, "cboe": Cboe}
    if name not in makers:
        raise ConfigurationError(f"There is no source {name!r}.", hint=f"There are: {', '.join(SOURCES)}.")
    return makers[name]()


def _files(options: argparse.Namespace) -> dict[str | None, Path]:
    """Return the files by symbol; None stands for the target."""
    found: dict[str | None, Path] = {}
    for word in options.file:
        symbol, equals, path = word.partition("=")
        key, place = (symbol, Path(path)) if equals else (None, Path(word))
        if key in found:
            raise ConfigurationError(f"--file is given twice for {key or 'the target'}.")
        found[key] = place
    return found


def _day(text: str | None, option: str) -> pd.Timestamp | None:
    if text is None:
        return None
    try:
        return pd.Timestamp(pd.to_datetime(text, format="%Y-%m-%d"))
    except ValueError as error:
        raise ConfigurationError(f"{option} {text} is not a date.", hint="Write it as 2018-12-07.") from error


def _tell(outcome: Outcome, settings: Settings, place: str) -> None:
    for note in outcome.notes:
        print(f"note: {note}")
    for table, written in outcome.written.items():
        count = f"{len(written):,} new partition{'s' if len(written) > 1 else ''}"
        print(f"{table}: {count if written else 'nothing new'}")
    made_up = " (synthetic: they are never scored)" if SYNTHETIC in settings.sources else ""
    print(f"{place} has the prices of {settings.target} up to {outcome.until.date()}{made_up}.")
