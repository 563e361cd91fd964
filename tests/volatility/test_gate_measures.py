"""RMSE, QLIKE, Diebold–Mariano, the confidence set and the intervals, against values worked out otherwise."""

import numpy as np
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility.gate import measures
from chronos_volatility.gate.confidence_set import SIZE, p_values
from chronos_volatility.gate.diebold_mariano import lags_of, statistic
from chronos_volatility.models import intervals


def test_measures_by_hand():
    y, forecast = np.array([0.0004, 0.0009]), np.array([0.0004, 0.0004])
    assert measures.rmse(y, forecast) == pytest.approx(np.sqrt((0.03 - 0.02) ** 2 / 2))
    assert measures.qlike(y, forecast) == pytest.approx((2.25 - np.log(2.25) - 1) / 2)
    assert measures.gain(0.85, 1.0) == pytest.approx(0.15)


def test_qlike_is_least_for_the_mean():
    y = np.random.default_rng(0).chisquare(5, 20000) / 5
    losses = {scale: measures.qlike(y, np.full_like(y, scale)) for scale in (0.9, 1.0, 1.1)}
    assert min(losses, key=losses.get) == 1.0


def test_made_up_prices_are_never_scored():
    with pytest.raises(DataError, match="synthetic"):
        measures.score(np.ones(3), np.ones(3), synthetic=True)


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -1.0, np.inf])
def test_what_is_no_variance_is_not_scored(wrong):
    with pytest.raises(DataError, match="not a positive number"):
        measures.score(np.ones(3), np.array([1.0, wrong, 1.0]), synthetic=False)


def test_the_statistic_is_a_t_value_with_newey_west_errors():
    rng = np.random.default_rng(2)
    difference = rng.standard_normal(500) + 0.1
    lags = int(lags_of(difference[:, None])[0])
    assert lags == 8  # no more than the cube root: the difference is not persistent
    centred = difference - difference.mean()
    variance = centred @ centred / 500
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag]) / 500
    share = (lags + 1) / 500
    critical = 1.2816 + 1.3040 * share + 0.5135 * share**2 - 0.3386 * share**3
    wanted = difference.mean() / np.sqrt(variance / 500) * 1.2816 / critical
    assert statistic(difference, np.zeros(500)) == pytest.approx(wanted)
    many = statistic(np.zeros(500), np.column_stack([difference, -difference]))
    assert many == pytest.approx([-wanted, wanted])


def test_equal_losses_say_nothing():
    assert statistic(np.ones(100), np.ones(100)) == 0.0


def test_under_no_difference_it_exceeds_its_threshold_as_often_as_it_should():
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((1504, 1000))
    overlapping = sum(noise[k : k + 1500] for k in range(5))  # as losses of overlapping labels are
    assert np.mean(statistic(overlapping, np.zeros((1500, 1000))) > 1.28) == pytest.approx(0.10, abs=0.035)


def test_the_confidence_set_keeps_the_best_and_drops_the_worse():
    rng = np.random.default_rng(5)
    base = rng.chisquare(3, 1500)
    noise = 0.3 * rng.standard_normal((1500, 3))
    found = p_values(
        {"best": base + noise[:, 0], "equal": base + noise[:, 1] + 0.001, "worse": base + noise[:, 2] + 0.2}
    )
    assert found["best"] >= SIZE
    assert found["equal"] >= SIZE
    assert found["worse"] < SIZE
    assert p_values({"alone": base}) == {"alone": 1.0}


def test_intervals_use_only_what_had_ended_and_are_calibrated():
    rng = np.random.default_rng(6)
    forecast = np.exp(rng.normal(-7, 0.5, 4000))
    y = forecast * np.exp(0.8 * rng.standard_normal(4000))
    bounds = intervals.as_known(y, forecast)
    assert np.isnan(bounds[: intervals.LEAST_RESIDUALS + 5]).all()
    for level, share in intervals.calibration(y, bounds).items():
        assert share == pytest.approx(float(level), abs=0.03)
    altered = y.copy()
    altered[2000 - 4 :] *= 100
    assert np.array_equal(intervals.as_known(altered, forecast)[:2001], bounds[:2001], equal_nan=True)
    by_hand = np.sqrt(forecast[2000]) * np.exp(
        np.quantile(intervals.residuals(y, forecast)[: 2000 - 4], intervals.LEVELS)
    )
    assert bounds[2000] == pytest.approx(by_hand)


def test_quantiles_are_factors_on_the_forecast():
    found = intervals.quantiles(np.full(99, 4.0), np.full(99, 1.0))
    assert found["0.5"] == pytest.approx(2.0)
