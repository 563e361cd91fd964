"""The macro series: values with the day on which they became known, and what was known at each close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pandas as pd

from chronos_training.core.errors import TrainingError
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import Settings
from chronos_volatility.storage import Storage
from chronos_volatility.tables import MACRO_ALIGNED, RAW_MACRO


class MacroSource(Protocol):
    """What `sources.fred.Fred` is."""

    def fetch(self, series: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Return what was released from `first` to `last`, as raw.macro has it."""


def ingest_macro(
    storage: Storage, settings: Settings, source: MacroSource, until: pd.Timestamp, now: datetime
) -> tuple[dict[str, list[str]], list[str]]:
    """Bring both macro tables up to the session `until`; return what was written, and notes.

    A series that is not available is a note, and its last known values continue: no forecast depends on it. A revision joins the
    values of its period, with the day of its release as the reason.
    """
    stored, notes = tables.read(storage, RAW_MACRO), []
    parts = []
    for series in settings.macro:
        known = stored.loc[stored["series"] == series, "released_at"]
        first = known.max() if len(known) else pd.Timestamp(settings.first_session)
        try:
            parts.append(source.fetch(series, first, until))
        except TrainingError as error:
            notes.append(str(error))
    new = _unknown(pd.concat(parts), stored) if parts else stored.head(0)
    raw = pd.concat([part for part in (stored, new) if len(part)] or [stored])
    written: dict[str, list[str]] = {RAW_MACRO: [], MACRO_ALIGNED: []}
    for released, rows in new.groupby("released_at"):
        # Period by period, in the order in which the values became known: each release is a version of its own.
        upto = raw[raw["date"].isin(rows["date"]) & (raw["released_at"] <= released)]
        written[RAW_MACRO] += tables.write(storage, RAW_MACRO, upto, reason=f"released {released:%Y-%m-%d}", now=now)
    last = tables.last_day(storage, MACRO_ALIGNED, until)
    calendar = get_calendar(settings.calendar, settings.closed)
    begin = calendar.after(last, 1) if last is not None else calendar.at_or_before(until)
    if last is None and len(raw):
        begin = max(pd.Timestamp(settings.first_session), raw["released_at"].min())
    if begin <= until:
        written[MACRO_ALIGNED] = tables.write(
            storage, MACRO_ALIGNED, align(raw, calendar.sessions(begin, until)), now=now
        )
    return written, notes


def align(raw: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Return for each session and series the value that was known at the close: curated.macro_release_aligned.

    That is the newest period's, as it was last published on a day before the session. FRED gives no time of day, and some
    releases come after the close: the day of the release itself does not count.
    """
    parts: list[pd.DataFrame] = []
    for series, rows in raw.groupby("series"):
        # By day of release; among those of a day, and in the past, the newest period counts.
        known = rows.sort_values(["released_at", "date"])
        newest = known["date"].cummax()
        current = known[known["date"] == newest].drop_duplicates("released_at", keep="last")
        found = pd.merge_asof(
            pd.DataFrame({"session": sessions.astype("datetime64[ns]")}), current,
            left_on="session", right_on="released_at", allow_exact_matches=False,
        ).dropna(subset=["value"])  # fmt: skip
        parts.append(pd.DataFrame({"date": found["session"], "series": series, "value": found["value"],
                                   "released_at": found["released_at"]}))  # fmt: skip
    return _joined(parts, raw)


def _joined(parts: Sequence[pd.DataFrame], raw: pd.DataFrame) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled).sort_values(["date", "series"], ignore_index=True) if filled else raw.head(0)


def _unknown(fetched: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the releases that are not stored. The first of a request repeats what was valid when it began."""
    last = stored.sort_values("released_at").drop_duplicates(["series", "date"], keep="last")
    both = fetched.merge(last, on=["series", "date"], how="left", suffixes=("", "_stored"))
    news = both["value_stored"].isna() | (
        (both["released_at"] > both["released_at_stored"]) & (both["value"] != both["value_stored"])
    )
    return fetched.reset_index(drop=True)[news.to_numpy()]
