"""Forecasts as they are served: one JSON for each session beside the table's Parquet, and a pointer to the last one.

serving/predictions/<date>.json   written once by the step `infer`
serving/latest.json               the last session, changed by compare-and-swap, forward only
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from chronos_training.core.cas import Lost
from chronos_training.core.clock import iso
from chronos_training.core.errors import DataError, TrainingError
from chronos_volatility.storage import Storage

PREFIX = "serving/predictions/"
LATEST = "serving/latest.json"
HORIZON_DAYS = 5
MOST_STALE = 5
"""With more sessions than this without a forecast, none is served as if it were one of today."""
ATTEMPTS = 5


@dataclass(frozen=True)
class Served:
    """One session's forecast, as /predict answers it."""

    as_of_date: str
    rv_5d_hat: float
    annualized: float
    top_drivers: tuple[str, ...]
    drivers: tuple[dict[str, Any], ...]
    """Of each: feature, value, contribution; they sum to ln rv_5d_hat."""
    model_version: str
    feature_set_version: str
    due: tuple[str, ...] = ()
    """When the forecasts of the following sessions are due, ISO 8601 in UTC, the earliest first."""

    def sessions_behind(self, now: datetime) -> int:
        """Return of how many later sessions the forecast is due and not there."""
        return bisect_right(self.due, iso(now))

    def answer(self, *, stale: bool) -> dict[str, Any]:
        """Return the body of an answer."""
        found = asdict(self)
        del found["due"]
        return {
            **found,
            "top_drivers": list(self.top_drivers),
            "drivers": list(self.drivers),
            "horizon_days": HORIZON_DAYS,
            "regime": None,
            "regime_probabilities": None,
            "stale": stale,
        }

    def to_json(self) -> bytes:
        """Return what `parse` reads."""
        return (json.dumps(asdict(self), sort_keys=True, allow_nan=False) + "\n").encode()


def parse(body: bytes, where: str) -> Served:
    """Return the forecast of a `to_json`. DataError names `where`."""
    try:
        found: Mapping[str, Any] = json.loads(body)
        return Served(
            str(found["as_of_date"]), float(found["rv_5d_hat"]), float(found["annualized"]),
            tuple(found["top_drivers"]), tuple(found["drivers"]), str(found["model_version"]),
            str(found["feature_set_version"]), tuple(found["due"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where} is damaged: {error}.") from error


def keep(storage: Storage, served: Served) -> None:
    """Store a session's forecast for the API, and let the pointer name it unless it names a later one."""
    storage.create(f"{PREFIX}{served.as_of_date}.json", served.to_json())
    pointer = storage.pointer(LATEST)
    for _ in range(ATTEMPTS):
        before = pointer.read()
        if before is not None and _date_of(before.body, f"{storage.url}/{LATEST}") >= served.as_of_date:
            return
        body = (json.dumps({"as_of_date": served.as_of_date}) + "\n").encode()
        try:
            pointer.write(body, None if before is None else before.etag)
        except Lost:
            continue
        return
    raise TrainingError(f"{storage.url}/{LATEST} was changed by others again and again.", code="conflict")


class Source(Protocol):
    """Where forecasts are read."""

    def of(self, date: str) -> Served | None:
        """Return the forecast of a session, None when there is none."""

    def latest(self) -> Served | None:
        """Return the last session's forecast, None before the first one."""

    def nearest(self, date: str) -> str | None:
        """Return the session with a forecast that is nearest to `date`, the earlier one of two; None without any."""


class Stored:
    """The objects in the storage."""

    def __init__(self, storage: Storage) -> None:
        """`storage` is the one that the step `infer` writes to."""
        self._storage = storage

    def of(self, date: str) -> Served | None:
        """See `Source.of`."""
        key = f"{PREFIX}{date}.json"
        body = self._storage.read(key)
        return None if body is None else parse(body, f"{self._storage.url}/{key}")

    def latest(self) -> Served | None:
        """See `Source.latest`."""
        body = self._storage.read(LATEST)
        return None if body is None else self.of(_date_of(body, f"{self._storage.url}/{LATEST}"))

    def nearest(self, date: str) -> str | None:
        """See `Source.nearest`. One or two LISTs of a month or two; all of them when there is nothing near."""
        for prefix in (f"{PREFIX}{date[:7]}", f"{PREFIX}{date[:4]}", PREFIX):
            found = [key[len(PREFIX) :].removesuffix(".json") for key in self._storage.keys(prefix)]
            if found:
                return nearest_of(found, date)
        return None


def nearest_of(dates: list[str], date: str) -> str:
    """Return the one of `dates` (ISO) that is nearest to `date`, the earlier of two."""
    wanted = datetime.fromisoformat(date)
    return min(dates, key=lambda one: (abs((datetime.fromisoformat(one) - wanted).days), one))


def _date_of(body: bytes, where: str) -> str:
    try:
        return str(json.loads(body)["as_of_date"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where} is damaged: {error}.") from error
