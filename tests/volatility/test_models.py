"""The fitted models: what they recover, and what their drivers sum to."""

import subprocess
import sys

import numpy as np
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility import features
from chronos_volatility.models import har, words
from chronos_volatility.models.design import Design
from chronos_volatility.models.garch import Garch, fit_garch
from chronos_volatility.models.har import fit_har, fit_har_x
from chronos_volatility.models.scaled import fit_scaled
from chronos_volatility.models.serve import BASELINE, LIMIT, Forecaster
from chronos_volatility.models.trees import fit_trees
from tests.volatility.panels import design_of, walk

DESIGN = design_of(walk(1400, seed=3))
FITS = {"har": fit_har, "har_x": fit_har_x, "trees": fit_trees}


def lognormal(rows: int = 4000, noise: float = 0.6) -> Design:
    rng = np.random.default_rng(1)
    values = rng.normal(-9, 1, (rows, 3))
    log = 0.4 * values[:, 0] + 0.3 * values[:, 1] + 0.2 * values[:, 2] - 0.9 + noise * rng.standard_normal(rows)
    dates = np.datetime64("1990-01-01") + np.arange(rows)
    return Design(dates, har.RANGE, values, np.exp(log))


def test_log_har_recovers_the_coefficients_and_the_mean():
    design = lognormal()
    model = fit_har(design, len(design))
    assert model.linear.coefficients == pytest.approx([0.4, 0.3, 0.2], abs=0.05)
    forecast = np.exp(model.ln_variance(design.values))
    # Without the correction for bias the mean of y/ŷ would be exp(0.18) = 1.2.
    assert np.mean(design.variance / forecast) == pytest.approx(1.0, abs=0.05)


def test_log_har_x_uses_the_vix_only_where_it_is_known():
    assert set(fit_har_x(DESIGN, len(DESIGN)).names) == {*har.RANGE, *har.SLOW, *har.LEVERAGE, *har.IMPLIED}
    without = design_of(walk(1400, seed=3, symbols=("SPX",)))
    assert set(fit_har_x(without, len(without)).names) == {*har.RANGE, *har.SLOW, *har.LEVERAGE}


def test_too_few_sessions_are_refused_in_a_sentence():
    with pytest.raises(DataError, match="complete sessions, too few to fit 3 features"):
        fit_har(DESIGN, 50)


def test_newer_sessions_count_more():
    weights = har.weights_of(4001)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[-1] / weights[-1 - int(har.HALF_LIFE)] == pytest.approx(2.0)


@pytest.mark.parametrize("kind", FITS)
def test_drivers_sum_to_the_logarithm_of_the_forecast(kind):
    model = FITS[kind](DESIGN, len(DESIGN))
    values = DESIGN.columns(model.names)[-300:]
    forecasts = model.rv_5d(values)
    for row, forecast in zip(values, forecasts, strict=True):
        drivers = model.drivers(row)
        assert sum(one.contribution for one in drivers) == pytest.approx(np.log(forecast), abs=1e-9)
        assert drivers[0].feature == BASELINE
        assert {one.feature for one in drivers} >= set(model.names)


@pytest.mark.parametrize("kind", FITS)
def test_a_forecast_stays_within_what_was_seen_and_says_so(kind):
    model = FITS[kind](DESIGN, len(DESIGN))
    row = DESIGN.columns(model.names)[-1].copy()
    for name, coefficient in zip(model.linear.names, model.linear.coefficients, strict=True):
        if name.startswith("ln_"):
            row[model.names.index(name)] = 50 * np.sign(coefficient)  # far beyond anything
    drivers = model.drivers(row)
    largest = 0.5 * np.log(DESIGN.variance.max())
    assert drivers[-1].feature == LIMIT
    assert sum(one.contribution for one in drivers) == pytest.approx(largest, abs=1e-9)
    assert np.log(model.rv_5d(row[None, :])[0]) == pytest.approx(largest)


@pytest.mark.parametrize("kind", FITS)
def test_a_missing_feature_gives_no_forecast(kind):
    model = FITS[kind](DESIGN, len(DESIGN))
    values = DESIGN.columns(model.names)[-2:].copy()
    values[0, 1] = np.nan
    assert np.isnan(model.rv_5d(values)).tolist() == [True, False]


@pytest.mark.parametrize("kind", FITS)
def test_a_model_survives_json(kind):
    model = FITS[kind](DESIGN, len(DESIGN))
    again = Forecaster.from_dict(model.to_dict(), model.trees.text if model.trees else None)
    values = DESIGN.columns(model.names)[-50:]
    assert np.array_equal(again.rv_5d(values), model.rv_5d(values))


def test_trees_fit_the_same_twice():
    assert fit_trees(DESIGN, 1200).trees == fit_trees(DESIGN, 1200).trees


def test_serving_imports_neither_pandas_nor_lightgbm():
    code = (
        "import sys, chronos_volatility.models.serve, chronos_volatility.models.words, chronos_volatility.models.artifact;"
        "print([name for name in ('pandas', 'pyarrow', 'lightgbm', 'scipy', 'sklearn', 'arch') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_scaled_rv20_has_the_mean_of_the_labels():
    model = fit_scaled(DESIGN, len(DESIGN))
    found = model.forecast(DESIGN.columns(["ln_rv_20"]), 20, len(DESIGN))
    assert found.sum() == pytest.approx(DESIGN.variance[20:].sum(), rel=0.02)


def test_garch_forecasts_the_mean_of_five_steps():
    model = Garch(0.0, 0.02, 0.05, 0.1, 0.85, 1.0)
    values = np.array([[-0.02], [0.01]])
    first = 0.02 + (0.05 + 0.1) * 4.0 + 0.85 * 1.0
    second = 0.02 + 0.05 * 1.0 + 0.85 * first
    ahead, total = second, 0.0
    for _ in range(5):
        total += ahead
        ahead = 0.02 + (0.05 + 0.05 + 0.85) * ahead
    assert model.forecast(values, 1, 2)[0] == pytest.approx(total / 1e4)


def test_garch_finds_persistence():
    found = fit_garch(DESIGN, len(DESIGN))
    assert 0.8 < found.alpha + 0.5 * found.gamma + found.beta <= 1.0001


def test_drivers_in_words():
    model = fit_har_x(DESIGN, len(DESIGN))
    drivers = model.drivers(DESIGN.columns(model.names)[-1])
    sentences = [words.sentence(one, features.TITLES) for one in drivers]
    assert sentences[0].startswith("with every feature at its average the forecast is ")
    assert any(text.startswith("the VIX (") for text in sentences)
    assert all(("raises" in text) or ("lowers" in text) for text in sentences[1:])
    top = words.top_drivers(drivers)
    assert top == [one.feature for one in drivers[1:4]]


@pytest.mark.parametrize(
    ("feature", "value", "text"),
    [
        ("ln_vix_variance", np.log(0.2**2 / 252), "20.0"),
        ("ln_parkinson_5", np.log(0.0001), "15.9 % a year"),
        ("return_5", np.log(0.98), "-2.0 %"),
        ("vix_change", np.log(1.1), "+10 %"),
        ("leverage_1", -1.26, "1.3 of its range"),
        ("leverage_5", 0.0, "no loss"),
        ("weekday", 4.0, "4"),
    ],
)
def test_values_in_words(feature, value, text):
    assert words.value_in_words(feature, value) == text
