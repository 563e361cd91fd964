"""Macro series of the Federal Reserve Bank of St. Louis, with the day on which each value became known.

FRED keeps every value with its real-time period: `realtime_start` is the first day on which it was the published one
(api.stlouisfed.org, fred/series/observations, output_type 1). A revision is another value of the same `date` that begins
later. FRED gives no time of day, so a value counts from the first session after its day (`macro.align`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pandas as pd

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.sources import http
from chronos_volatility.sources.base import SourceError

URL = "https://api.stlouisfed.org/fred/series/observations"
KEY = "FRED_API_KEY"
# A daily series has a release a day, and FRED refuses a request over more than 2,000 of them.
YEARS_AT_ONCE = 5


class Fred:
    """Macro series by their names at FRED, such as DGS10."""

    name = "fred"

    def __init__(self, key: str, get: http.Get | None = None) -> None:
        """`key` is a person's API key; `get` fetches an address."""
        self._key, self._get = key, get or http.get

    def fetch(self, series: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Return what was released from `first` to `last`: date, series, value, released_at, as raw.macro has them.

        What was known at `first` already counts as released on that day. SourceError.
        """
        parts = [self._window(series, begin, end, first) for begin, end in _windows(first, last)]
        frame = pd.concat(parts, ignore_index=True).sort_values(["date", "released_at"], ignore_index=True)
        # Each request tells again what was valid when its window began: a value that did not change is no release.
        same = (frame["date"] == frame["date"].shift()) & (frame["value"] == frame["value"].shift())
        return frame[~same].assign(series=series)[["date", "series", "value", "released_at"]].reset_index(drop=True)

    def _window(self, series: str, begin: pd.Timestamp, end: pd.Timestamp, first: pd.Timestamp) -> pd.DataFrame:
        body = self._get(URL, {
            "series_id": series, "api_key": self._key, "file_type": "json", "output_type": "1",
            "realtime_start": f"{begin:%Y-%m-%d}", "realtime_end": f"{end:%Y-%m-%d}",
            # Two months before: the value that is valid at `first` is of an earlier period.
            "observation_start": f"{first - pd.Timedelta(days=62):%Y-%m-%d}",
        })  # fmt: skip
        try:
            found = json.loads(body)["observations"]
            rows = [(one["date"], one["value"], one["realtime_start"]) for one in found if one["value"] != "."]
            frame = pd.DataFrame(rows, columns=["date", "value", "released_at"])
            frame["value"] = frame["value"].astype("float64")
            for name in ("date", "released_at"):
                frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d").astype("datetime64[ns]")
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"fred answered for {series} in a form that is not its own: {error!r}.") from error
        return frame


def from_environment() -> Fred:
    """Return FRED with the key of the environment. ConfigurationError without one."""
    key = os.environ.get(KEY, "")
    if not key:
        raise ConfigurationError(f"The macro series need a key of FRED: {KEY} is not set.",
                                 hint="It is free at fredaccount.stlouisfed.org; or name no macro series.")  # fmt: skip
    return Fred(key)


def _windows(first: pd.Timestamp, last: pd.Timestamp) -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    begin = first
    while begin <= last:
        end = min(last, begin + pd.DateOffset(years=YEARS_AT_ONCE) - pd.Timedelta(days=1))
        yield begin, end
        begin = end + pd.Timedelta(days=1)
