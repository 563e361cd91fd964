"""Metrics against numbers worked out by hand, and against GluonTS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from gluonts.evaluation import Evaluator
from gluonts.model.forecast import QuantileForecast
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.evaluation.metrics import ROW_METRICS, Scores, median_of, seasonal_scale

NAN = float("nan")


def scored(actual: Any, quantiles: Any, levels: list[float], scales: Any = 1.0) -> Scores:
    """One row: actual (windows, horizon), quantiles (windows, levels, horizon)."""
    scores, actual = Scores(levels), np.array([actual], dtype=float)
    scores.add(actual, np.array([quantiles], dtype=float), np.broadcast_to(scales, actual.shape[:2]).astype(float))
    return scores


def test_wql_by_hand() -> None:
    # y = 10, 20; q0.1 = 8, 21; q0.9 = 13, 24.
    # pinball q0.1: 0.1*2 = 0.2; 0.9*1 = 0.9. q0.9: 0.1*3 = 0.3; 0.1*4 = 0.4. Sum 1.8, doubled 3.6; / (2 levels * 30).
    scores = scored([[10, 20]], [[[8, 21], [13, 24]]], [0.1, 0.9])
    assert scores.by_row("wql") == pytest.approx([0.06]) and scores.aggregate()["wql"] == pytest.approx(0.06)
    assert scores.by_horizon()["wql"] == pytest.approx([2 * 0.5 / 20, 2 * 1.3 / 40])


def test_the_others_by_hand() -> None:
    scores = scored([[10, -20]], [[[12, -17]]], [0.5])
    assert scores.by_row("wql") == pytest.approx([5 / 30])
    assert (scores.by_row("mae"), scores.by_row("rmse")) == (pytest.approx([2.5]), pytest.approx([np.sqrt(6.5)]))
    assert scores.by_row("smape") == pytest.approx([(2 * 2 / 22 + 2 * 3 / 37) / 2])
    assert scored([[0, 1]], [[[0, 1]]], [0.5]).by_row("smape") == pytest.approx([0.0])


def test_missing_observations_count_nowhere() -> None:
    scores = scored([[10, NAN]], [[[8, 99]]], [0.5])
    assert [scores.by_row(name)[0] for name in ("wql", "mae", "rmse")] == pytest.approx([0.2, 2.0, 2.0])
    assert scores.aggregate()["coverage"] == [0.0]
    nothing = scored([[NAN, NAN]], [[[1, 1]]], [0.5])
    assert nothing.aggregate() == {
        "wql": None,
        "mase": None,
        "mae": None,
        "rmse": None,
        "smape": None,
        "coverage": [None],
        "series": dict.fromkeys(ROW_METRICS, 0),
    }


def test_wql_of_zeros_is_not_a_number_we_make_up() -> None:
    scores = scored([[0, 0]], [[[1, 1]]], [0.5])
    assert np.isnan(scores.by_row("wql")[0]) and scores.aggregate()["wql"] is None


def test_mase_by_hand() -> None:
    history = np.array([1.0, 5.0, 2.0, 7.0, 4.0, 8.0])  # season 2: |1|, |2|, |2|, |1| -> 1.5
    assert seasonal_scale(history, 2) == pytest.approx(1.5)
    quantiles = [[[5, 8]], [[1, 4]]]  # window errors 1.5 and 1.5
    for scales, expected in (([1.5, 3.0], 0.75), ([1.5, NAN], 1.0)):
        assert scored([[4, 6], [1, 1]], quantiles, [0.5], scales).by_row("mase") == pytest.approx([expected])
    assert np.isnan(scored([[4, 6], [1, 1]], quantiles, [0.5], NAN).by_row("mase")[0])


def test_scale_of_a_constant_or_short_history() -> None:
    assert np.isnan(seasonal_scale(np.ones(20), 7)) and np.isnan(seasonal_scale(np.ones(7), 7))
    assert seasonal_scale(np.array([1.0, NAN, 4.0, 3.0]), 2) == 3.0


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.parametrize("size", [0.3, -4e9, 1e-20])
def test_rounding_is_no_variation(season: int, size: float) -> None:
    """0.1 + 0.2 is not 0.3; a scale of 5e-18 made a MASE of eight thousand million."""
    tariff = np.where(np.arange(80) % 11 == 0, (0.1 + 0.2) / 0.3 * size, size)
    assert tariff.std() > 0 and np.isnan(seasonal_scale(tariff, season))
    tariff[40] += 1e-9 * size
    assert seasonal_scale(tariff, season) == pytest.approx(2e-9 * abs(size) / (80 - season), rel=1e-3)


def test_coverage_counts_at_or_below() -> None:
    scores = scored([[1, 2, 3, 4]], [[[1, 1, 1, 1], [3, 3, 3, 3]]], [0.1, 0.9])
    assert scores.aggregate()["coverage"] == [0.25, 0.75]
    assert scores.by_horizon()["coverage_lowest"] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("levels", "values", "median"),
    [([0.4, 0.6], [10, 20], 15), ([0.1, 0.5], [10, 20], 20), ([0.5, 0.9], [10, 20], 10), ([0.7, 0.9], [10, 20], 10), ([0.1, 0.3], [10, 20], 20)],
)  # fmt: skip
def test_median_is_interpolated_when_it_is_not_a_level(levels: list[float], values: list[float], median: float) -> None:
    assert median_of(np.array(values, dtype=float).reshape(1, 1, 2, 1), levels)[0, 0, 0] == pytest.approx(median)


def random_case(seed: int, rows: int = 6) -> tuple[Any, Any, Any, list[float]]:
    random = np.random.default_rng(seed)
    levels = [0.1, 0.3, 0.5, 0.7, 0.9]
    actual = 20 + random.normal(size=(rows, 3, 8)) * 5
    actual[random.random(actual.shape) < 0.1] = NAN
    quantiles = np.sort(20 + random.normal(size=(rows, 3, 5, 8)) * 5, axis=2)
    return actual, quantiles, random.uniform(1, 3, size=(rows, 3)), levels


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_chunks_and_order_of_rows_change_nothing(seed: int, at: int) -> None:
    actual, quantiles, scales, levels = random_case(seed)
    whole, parts, other = Scores(levels), Scores(levels), Scores(levels)
    whole.add(actual, quantiles, scales)
    for part in (slice(0, at), slice(at, None)):
        parts.add(actual[part], quantiles[part], scales[part])
    order = np.random.default_rng(seed).permutation(len(actual))
    other.add(actual[order], quantiles[order], scales[order])
    for one in (parts, other):
        for name, value in whole.aggregate().items():
            assert one.aggregate()[name] == pytest.approx(value)
        assert one.by_horizon()["mae"] == pytest.approx(whole.by_horizon()["mae"])
    np.testing.assert_array_equal(parts.by_row("mase"), whole.by_row("mase"))
    np.testing.assert_array_equal(other.by_row("wql"), whole.by_row("wql")[order])


def test_the_numbers_are_gluonts_own() -> None:
    """The same forecasts, scored by GluonTS: WQL, RMSE, sMAPE, coverage, and MASE window by window."""
    season = 7
    random = np.random.default_rng(3)
    levels, rows, horizon = [0.1, 0.3, 0.5, 0.7, 0.9], 5, 14
    scores, series, predicted = Scores(levels), [], []
    for row in range(rows):
        values = 30 + 5 * np.sin(np.arange(100) * 2 * np.pi / season) + random.normal(size=100) * 2
        quantiles = np.sort(30 + 4 * random.normal(size=(len(levels), horizon)), axis=0)
        history, actual = values[:-horizon], values[-horizon:]
        scale = np.array([[seasonal_scale(history, season)]])
        scores.add(actual[None, None], quantiles[None, None], scale)
        index = pd.period_range("2024-01-01", periods=100, freq="D")
        series.append(pd.DataFrame({0: values}, index=index))
        predicted.append(
            QuantileForecast(
                forecast_arrays=quantiles, forecast_keys=[str(level) for level in levels], start_date=index[-horizon],
                item_id=str(row),
            )
        )  # fmt: skip
    judge = Evaluator(quantiles=levels, seasonality=season, num_workers=0)
    aggregate, items = judge(iter(series), iter(predicted), num_series=rows)
    own = scores.aggregate()
    assert own["wql"] == pytest.approx(aggregate["mean_wQuantileLoss"])
    assert scores.by_row("mase") == pytest.approx(items["MASE"].to_numpy(dtype=float))
    assert own["smape"] == pytest.approx(aggregate["sMAPE"])
    assert own["coverage"] == pytest.approx([aggregate[f"Coverage[{level}]"] for level in levels])
    assert np.sqrt(np.mean(scores.by_row("rmse") ** 2)) == pytest.approx(np.sqrt(items["MSE"].mean()), rel=0.2)
