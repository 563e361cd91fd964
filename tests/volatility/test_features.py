"""Each formula, computed by hand on a few rows."""

import math

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility import features
from chronos_volatility.features import cross_asset, implied, leverage, range_volatility, returns, seasonal, windows
from chronos_volatility.features.prices import Prices, aligned, target_prices
from chronos_volatility.models import design as designs
from chronos_volatility.models import words
from tests.volatility.panels import walk


def prices(**columns: list[float]) -> Prices:
    count = len(next(iter(columns.values())))
    filled = {
        name: np.array(columns.get(name, [np.nan] * count), dtype=float)
        for name in ("open", "high", "low", "close", "ret")
    }
    return Prices(pd.date_range("2018-01-01", periods=count, freq="B"), **filled)


def test_parkinson_of_a_range_of_ten_percent():
    found = range_volatility.parkinson(prices(high=[110.0], low=[100.0]))
    assert found[0] == pytest.approx(math.log(1.1) ** 2 / (4 * math.log(2)))
    assert found[0] == pytest.approx(0.003276, abs=1e-6)


def test_overnight_gap_counts_from_the_close_before_and_leaves_dividends_out():
    # 100, then an open at 99 and a close at 99 after a dividend of 1: no gap; then 99 → open 101, close 100.
    found = range_volatility.overnight(
        prices(
            open=[100.0, 99.0, 101.0], close=[100.0, 99.0, 100.0], ret=[np.nan, math.log(100 / 100), math.log(100 / 99)]
        )
    )
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.0)
    assert found[2] == pytest.approx(math.log(101 / 99) ** 2)


def test_range_features_are_logarithms_of_means():
    count = 60
    high = np.full(count, 102.0)
    high[-1] = 104.0
    own = prices(open=[100.0] * count, high=list(high), low=[100.0] * count, close=[100.0] * count, ret=[0.0] * count)
    found = range_volatility.features(own)
    usual, last = (math.log(x) ** 2 / (4 * math.log(2)) for x in (1.02, 1.04))
    assert found["ln_parkinson_1"][-1] == pytest.approx(math.log(last))
    assert found["ln_parkinson_5"][-1] == pytest.approx(math.log((last + 4 * usual) / 5))
    assert found["ln_parkinson_20"][-1] == pytest.approx(math.log((last + 19 * usual) / 20))
    assert found["ln_parkinson_60"][-1] == pytest.approx(math.log((last + 59 * usual) / 60))
    assert np.isnan(found["ln_parkinson_60"][-2])
    # Nothing moved overnight.
    assert found["ln_parkinson_overnight_5"][-1] == pytest.approx(found["ln_parkinson_5"][-1])


def test_a_day_without_a_range_counts_as_a_hundredth_of_the_month():
    daily = np.full(20, 0.01)
    daily[-1] = 0.0
    assert windows.mean_variance(daily, 1)[-1] == pytest.approx(0.01 * 0.19 / 20)
    assert windows.mean_variance(np.zeros(20), 1)[-1] == windows.LEAST_VARIANCE


def test_returns_and_their_variance():
    ret = [np.nan, 0.01, -0.02, 0.03, -0.01, 0.02]
    found = returns.features(prices(ret=ret))
    assert found["return_5"][-1] == pytest.approx(0.03)
    assert found["return_1"][-1] == pytest.approx(0.02)
    assert found["ln_rv_5"][-1] == pytest.approx(math.log((0.01**2 + 0.02**2 + 0.03**2 + 0.01**2 + 0.02**2) / 5))
    assert np.isnan(found["return_5"][-2])  # the first session has no return
    assert np.isnan(found["return_20"]).all()


def test_leverage_is_the_loss_in_units_of_the_range():
    own = prices(high=[102.0] * 6, low=[100.0] * 6, ret=[np.nan, 0.01, 0.01, -0.03, -0.01, 0.005])
    found = leverage.features(own)
    sigma = math.log(1.02) / math.sqrt(4 * math.log(2))
    assert found["leverage_1"][-2] == pytest.approx(-0.01 / sigma)
    assert found["leverage_1"][-1] == 0.0
    assert found["leverage_5"][-1] == pytest.approx(-0.015 / (sigma * math.sqrt(5)))


def test_drawdown_is_from_the_highest_close_of_sixty():
    ret = np.full(65, 0.001)
    ret[-3:] = (-0.05, 0.01, 0.02)
    found = leverage.features(prices(high=[1.01] * 65, low=[1.0] * 65, ret=list(ret)))["drawdown_60"]
    assert found[-3] == pytest.approx(-0.05)
    assert found[-1] == pytest.approx(-0.02)
    assert found[-4] == 0.0


def test_implied_variance_change_mean_term_structure_and_premium():
    target = prices(ret=[0.01] * 20)
    vix = prices(close=[20.0] * 18 + [16.0, 20.0])
    vix3m = prices(close=[25.0] * 20)
    found = implied.features(target, vix, vix3m)
    assert found["ln_vix_variance"][-1] == pytest.approx(math.log(0.04 / 252))
    assert found["vix_change"][-1] == pytest.approx(math.log(20 / 16))
    assert np.isnan(found["vix_change"][0])
    assert found["vix_to_mean_20"][-1] == pytest.approx(math.log(20 / 19.8))
    assert found["vix_to_vix3m"][-1] == pytest.approx(math.log(0.8))
    assert found["variance_premium"][-1] == pytest.approx(math.log(0.04 / 252) - math.log(0.0001))


def test_a_day_that_the_vix_lacks_costs_a_day():
    close = [20.0] * 25
    close[10] = np.nan
    found = implied.features(prices(ret=[0.01] * 25), prices(close=close), prices(close=[np.nan] * 25))
    assert np.isnan(found["ln_vix_variance"]).sum() == 1
    assert np.isnan(found["vix_change"][[10, 11]]).all()
    assert np.isfinite(found["vix_to_mean_20"][20:]).all()


def test_bonds():
    found = cross_asset.features("tlt", prices(ret=[0.01, -0.01, 0.02, 0.0, 0.01]))
    assert found["tlt_return_5"][-1] == pytest.approx(0.03)
    assert found["tlt_ln_rv_5"][-1] == pytest.approx(math.log(0.0007 / 5))


def test_an_exchange_that_never_closes_has_no_holidays():
    found = seasonal.features(pd.DatetimeIndex(["2018-12-21", "2018-12-24"]), "24/7")
    assert found["sessions_to_holiday"].tolist() == [seasonal.FAR] * 2


def test_season_by_the_rules_of_the_exchange():
    dates = pd.to_datetime(["2018-11-20", "2018-11-21", "2018-11-23", "2018-11-30", "2018-12-21", "2018-12-24"])
    found = seasonal.features(pd.DatetimeIndex(dates))
    assert found["weekday"].tolist() == [1, 2, 4, 4, 4, 0]
    assert found["sessions_to_holiday"][:2].tolist() == [2, 1]  # Thanksgiving is on the 22nd
    assert found["sessions_to_holiday"][-2:].tolist() == [2, 1]  # Christmas is on Tuesday
    assert found["sessions_to_month_end"][[1, 2, 3]].tolist() == [6, 5, 0]


def test_nobody_knew_that_the_exchange_would_be_closed():
    found = seasonal.features(pd.DatetimeIndex(["2001-09-10"]))
    assert found["sessions_to_holiday"].tolist() == [seasonal.FAR]


def test_compute_gives_every_name_and_null_where_a_source_is_missing():
    table = features.compute(walk(80), target="SPX")
    assert tuple(table.columns) == ("date", "feature_set_version", *features.NAMES)
    assert (table["feature_set_version"] == features.VERSION).all()
    assert table["vix_to_vix3m"].isna().all()
    assert table["tlt_return_5"].isna().all()
    assert "vix_to_vix3m" not in features.usable(table)
    assert "ln_vix_variance" in features.usable(table)


def test_coverage_leaves_the_warm_up_out_and_counts_the_rest():
    table = features.compute(walk(260), target="SPX")
    assert features.coverage(table)["ln_parkinson_60"] == 1.0
    table.loc[table.index[-2:], "ln_vix_variance"] = np.nan
    assert features.coverage(table)["ln_vix_variance"] == pytest.approx(198 / 200)
    assert "ln_vix_variance" in features.usable(table)
    table.loc[table.index[-3:], "ln_vix_variance"] = np.nan
    assert "ln_vix_variance" not in features.usable(table)


def test_the_target_must_be_there_once_a_day():
    market = walk(70)
    with pytest.raises(DataError, match="no rows of SPY"):
        features.compute(market, target="SPY")
    with pytest.raises(DataError, match="SPX twice on 2018-12-07"):
        target_prices(pd.concat([market, market[(market["symbol"] == "SPX")].tail(1)]), "SPX")
    assert np.isnan(aligned(market, "TLT", pd.DatetimeIndex(market["date"].unique())).close).all()


def test_what_serving_repeats_of_the_feature_set_is_the_same():
    assert set(words._PERCENT) <= set(features.NAMES)
    from chronos_volatility.features import feature_set

    assert (designs.WARM_UP, designs.LEAST_COVERAGE) == (feature_set.WARM_UP, feature_set.LEAST_COVERAGE)
