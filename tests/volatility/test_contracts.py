"""Malformed tables are refused in a sentence that names table, column, rows and rule; nothing is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility import tables
from chronos_volatility.features import feature_set
from chronos_volatility.settings import KEY, OFFLINE
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import NOW, labels, market, predictions, raw

Breach = tuple[str, pd.DataFrame, str]

SPX = ("2018-12-07", "SPX", 2633.0)
VIX = ("2018-12-07", "VIX", 23.0)
FEATURES = pd.DataFrame({"date": [pd.Timestamp("2018-12-07")], "feature_set_version": "0", "ret_1": 0.1})
MACRO = pd.DataFrame({"date": ["2018-11-01"], "series": "CPI", "value": 252.0, "released_at": "2018-12-06"})
MACRO = MACRO.astype({"date": "datetime64[ns]", "released_at": "datetime64[ns]"})
ALIGNED = MACRO.assign(date=pd.Series(pd.to_datetime(["2018-12-07"])))


def cell(frame: pd.DataFrame, column: str, value: object, row: int = 0) -> pd.DataFrame:
    """`frame` with one value changed, of whatever type."""
    changed = frame.copy()
    if not isinstance(value, float):
        changed[column] = changed[column].astype(object)
    changed.loc[row, column] = value  # type: ignore[call-overload]
    return changed


BREACHES: list[Breach] = [
    ("raw.market", raw(SPX).drop(columns="volume"), "column volume is missing"),
    ("raw.market", raw(SPX).assign(adj=1.0), "column adj is not in the contract"),
    ("raw.market", raw(SPX).astype({"close": "float32"}), "column close is of type float32, not float64"),
    ("raw.market", cell(raw(SPX), "close", "2,633"), "column close is of type object, not float64"),
    ("raw.market", cell(raw(SPX), "open", -1.0), "column open, row 2018-12-07 SPX: is not positive"),
    ("raw.market", cell(raw(SPX), "close", 0.0), "column close, row 2018-12-07 SPX: is not positive"),
    ("raw.market", cell(raw(SPX), "close", np.nan), "column close, row 2018-12-07 SPX: is null"),
    ("raw.market", cell(raw(SPX), "high", np.inf), "column high, row 2018-12-07 SPX: is not finite"),
    ("raw.market", cell(raw(SPX), "low", 2640.0), "columns low, open, row 2018-12-07 SPX: low is above open"),
    ("raw.market", cell(raw(SPX), "close", 2700.0), "columns close, high, row 2018-12-07 SPX: close is above high"),
    ("raw.market", cell(raw(SPX), "open", 2700.0), "columns open, high, row 2018-12-07 SPX: open is above high"),
    ("raw.market", cell(raw(SPX), "close", 2500.0), "columns low, close, row 2018-12-07 SPX: low is above close"),
    ("raw.market", raw(SPX, SPX), "columns date, symbol, rows 2018-12-07 SPX, 2018-12-07 SPX: there twice"),
    ("raw.market", raw(("2018-12-05", "SPX", 1.0)), "column date, row 2018-12-05 SPX: is not a session of XNYS"),
    ("raw.market", raw(("2018-12-08", "SPX", 1.0)), "column date, row 2018-12-08 SPX: is not a session of XNYS"),
    ("raw.market", raw(("2018-12-25", "SPX", 1.0)), "column date, row 2018-12-25 SPX: is not a session of XNYS"),
    ("raw.market", raw(("2018-12-07", "VIX", 4.5)), "row 2018-12-07 VIX: a volatility index is not within (5, 150)"),
    ("raw.market", raw(("2018-12-07", "VIX3M", 230.0)), "row 2018-12-07 VIX3M: a volatility index is not within"),
    ("raw.market", cell(raw(SPX), "volume", -1.0), "column volume, row 2018-12-07 SPX: is negative"),
    ("raw.market", cell(raw(SPX), "dividend", -0.5), "column dividend, row 2018-12-07 SPX: is negative"),
    ("raw.market", cell(raw(SPX), "split", 0.0), "column split, row 2018-12-07 SPX: is not positive"),
    ("raw.market", cell(raw(SPX), "source", ""), "column source, row 2018-12-07 SPX: is empty"),
    ("raw.market", cell(raw(SPX), "symbol", ""), "column symbol, row 2018-12-07 : is empty"),
    ("raw.market", raw(SPX).assign(fetched_at=pd.Timestamp("2018-12-07")), "column fetched_at is of type datetime64[ns], not datetime64[ns, UTC]"),
    ("raw.market", raw(SPX).astype({"date": str}), "column date is of type object, not datetime64[ns]"),
    ("curated.market_daily", cell(market(SPX), "ret", 0.25), "columns ret, row 2018-12-07 SPX: the return is not within ±0.25"),
    ("curated.market_daily", cell(market(SPX), "ret", -0.3), "columns ret, row 2018-12-07 SPX: the return is not within ±0.25"),
    ("curated.market_daily", cell(market(VIX), "ret", 1.6), "columns ret, row 2018-12-07 VIX: a volatility index changes by more than 1.5"),
    ("curated.market_daily", cell(market(SPX), "adj_close", 0.0), "column adj_close, row 2018-12-07 SPX: is not positive"),
    ("curated.market_daily", market(SPX).assign(volume=1.0), "column volume is not in the contract"),
    ("raw.macro", cell(MACRO, "value", np.nan), "column value, row 2018-11-01 CPI 2018-12-06: is null"),
    ("raw.macro", MACRO.assign(released_at=pd.Timestamp("2018-10-01")), "released before the period it is of"),
    ("raw.macro", MACRO.assign(released_at=pd.Timestamp("2018-12-06 08:30")), "is not a whole day"),
    ("curated.macro_release_aligned", ALIGNED.assign(released_at=ALIGNED["date"]), "was not known at the close"),
    ("curated.macro_release_aligned", ALIGNED.assign(date=pd.Timestamp("2018-12-09")), "is not a session of XNYS"),
    ("features_daily", cell(FEATURES, "ret_1", np.inf), "column ret_1, row 2018-12-07: is not finite"),
    ("features_daily", cell(FEATURES, "ret_1", "high"), "column ret_1 is of type object, not float64"),
    ("features_daily", pd.concat([FEATURES, FEATURES]), "columns date, rows 2018-12-07, 2018-12-07: there twice"),
    ("features_daily", cell(FEATURES, "feature_set_version", ""), "column feature_set_version, row 2018-12-07: is empty"),
    ("features_daily", FEATURES.assign(feature_set_version=feature_set.VERSION), "row 2018-12-07: has not the features of set"),
    ("labels_daily", labels(("2018-12-07", -0.1)), "column rv_5d, row 2018-12-07: is negative"),
    ("labels_daily", labels(("2018-12-07", 0.9)), "column rv_5d, row 2018-12-07: is more than five largest returns give"),
    ("labels_daily", labels(("2018-12-07", np.nan)), "column rv_5d, row 2018-12-07: is null"),
    ("predictions_daily", predictions(rv_5d_hat=0.0), "column rv_5d_hat, row 2018-12-07: is not positive"),
    ("predictions_daily", predictions(rv_5d_hat=1.5), "column rv_5d_hat, row 2018-12-07: is 1 or more"),
    ("predictions_daily", predictions(annualized=0.3), "annualized is not rv_5d_hat·sqrt(252/5)"),
    ("predictions_daily", predictions(top_drivers="vix"), "column top_drivers, row 2018-12-07: is not a list of names"),
    ("predictions_daily", predictions(drivers=[{"feature": "vix"}]), "is not a list of feature, value, contribution"),
    ("predictions_daily", predictions(regime="calm"), "column regime, row 2018-12-07: is not null"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "frame", "words"), BREACHES, ids=[f"{one[0]}: {one[2]}" for one in BREACHES])
def test_a_breach_stops_the_line(storage: FolderStorage, table: str, frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(DataError) as error:
        tables.write(storage, table, frame, now=NOW)
    assert str(error.value).startswith(f"{table}: nothing was written: ")
    assert words in str(error.value)
    assert storage.keys("") == []


GOOD: dict[str, Callable[[], pd.DataFrame]] = {
    "raw.market": lambda: raw(SPX, VIX),
    "curated.market_daily": lambda: cell(market(SPX, VIX), "ret", np.nan),
    "raw.macro": lambda: MACRO,
    "curated.macro_release_aligned": lambda: ALIGNED,
    "features_daily": lambda: cell(FEATURES, "ret_1", np.nan),
    "labels_daily": lambda: labels(("2018-12-06", 0.0), ("2018-12-07", 0.02)),
    "predictions_daily": lambda: predictions(),
}


@pytest.mark.parametrize("table", tables.TABLES)
def test_what_keeps_the_contract_comes_back_as_it_was(storage: FolderStorage, table: str) -> None:
    frame = GOOD[table]()
    assert tables.write(storage, table, frame, now=NOW)
    assert tables.write(storage, table, frame, now=NOW) == []
    pd.testing.assert_frame_equal(tables.read(storage, table), frame, check_like=True)


@pytest.mark.parametrize("table", tables.TABLES)
def test_an_empty_table_has_its_columns(storage: FolderStorage, table: str) -> None:
    frame = tables.read(storage, table)
    assert frame.empty and "date" in frame.columns
    assert tables.write(storage, table, GOOD[table]().head(0), now=NOW) == []


def test_several_breaches_are_told_at_once(storage: FolderStorage) -> None:
    frame = cell(cell(raw(SPX, VIX), "open", -1.0), "split", -1.0)
    with pytest.raises(DataError, match=r"column open, .*; column split, .*") as error:
        tables.write(storage, "raw.market", frame, now=NOW)
    assert "low is above open" in str(error.value)


def test_many_rows_are_counted(storage: FolderStorage) -> None:
    days = [(f"2018-11-{day:02d}", 1.0) for day in (1, 2, 5, 6, 7)]
    with pytest.raises(DataError, match="rows 2018-11-01, 2018-11-02, 2018-11-05 and 2 more: is more than"):
        tables.write(storage, "labels_daily", labels(*days), now=NOW)


def test_limits_and_calendar_are_the_storages_own(storage: FolderStorage) -> None:
    chosen = dataclasses.replace(OFFLINE, target="DAX", required=("DAX",), calendar="XETR", max_abs_ret=0.5)
    storage.create(KEY, chosen.to_json())
    other = cell(market(("2018-12-05", "DAX", 11200.0)), "ret", 0.4)  # a day of mourning in New York only
    assert tables.write(storage, "curated.market_daily", other, now=NOW)


def test_there_are_seven_tables(storage: FolderStorage) -> None:
    with pytest.raises(ConfigurationError, match="There is no table 'prices'"):
        tables.read(storage, "prices")
