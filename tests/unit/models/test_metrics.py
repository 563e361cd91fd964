"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chronos_training.models import metrics

NAN = float("nan")


def test_wql_by_hand() -> None:
    # y = 10, 20; q0.1 = 8, 21; q0.9 = 13, 24.
    # pinball q0.1: 0.1*2 = 0.2; 0.9*1 = 0.9. q0.9: 0.1*3 = 0.3; 0.1*4 = 0.4. Sum 1.8, doubled 3.6; / (2 levels * 30).
    actual = np.array([[10.0, 20.0]])
    forecast = np.array([[[8.0, 21.0], [13.0, 24.0]]])
    assert metrics.pinball_sum(actual, forecast, [0.1, 0.9]) == pytest.approx(3.6)
    assert metrics.wql(actual, forecast, [0.1, 0.9]) == pytest.approx(0.06)


def test_wql_of_a_median_alone_is_the_normalized_absolute_error() -> None:
    actual = np.array([[10.0, -20.0]])
    assert metrics.wql(actual, np.array([[[12.0, -17.0]]]), [0.5]) == pytest.approx(5 / 30)


def test_missing_observations_count_nowhere() -> None:
    actual = np.array([[10.0, NAN]])
    forecast = np.array([[[8.0, 99.0]]])
    assert metrics.wql(actual, forecast, [0.5]) == pytest.approx(0.2)
    assert metrics.mae(actual, np.array([[8.0, 99.0]])) == 2.0
    assert metrics.coverage(actual, forecast) == [0.0]
    assert metrics.mae(np.array([[NAN]]), np.array([[1.0]])) is None


def test_wql_of_zeros_is_not_a_number_we_make_up() -> None:
    assert metrics.wql(np.zeros((1, 3)), np.ones((1, 1, 3)), [0.5]) is None


def test_mase_by_hand() -> None:
    history = np.array([1.0, 5.0, 2.0, 7.0, 4.0, 8.0])  # season 2: |1|, |2|, |2|, |1| -> 1.5
    assert metrics.seasonal_scale(history, 2) == pytest.approx(1.5)
    actual, median = np.array([[4.0, 6.0], [1.0, 1.0]]), np.array([[5.0, 8.0], [1.0, 4.0]])
    # window errors 1.5 and 1.5; scales 1.5 and 3 -> 1 and 0.5
    assert metrics.mase(actual, median, [1.5, 3.0]) == pytest.approx(0.75)
    assert metrics.mase(actual, median, [1.5, None]) == pytest.approx(1.0)
    assert metrics.mase(actual, median, [None, None]) is None


def test_scale_of_a_constant_or_short_history() -> None:
    assert metrics.seasonal_scale(np.ones(20), 7) is None
    assert metrics.seasonal_scale(np.ones(7), 7) is None
    assert metrics.seasonal_scale(np.array([1.0, NAN, 4.0, 3.0]), 2) == 3.0


def test_coverage_counts_at_or_below() -> None:
    actual = np.array([[1.0, 2.0, 3.0, 4.0]])
    forecast = np.array([[[1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 3.0, 3.0]]])
    assert metrics.coverage(actual, forecast) == [0.25, 0.75]


def test_median_is_interpolated_when_it_is_not_a_level() -> None:
    forecast = np.array([[[10.0], [20.0]]])
    assert metrics.median_of(forecast, [0.4, 0.6])[0, 0] == pytest.approx(15.0)
    assert metrics.median_of(forecast, [0.1, 0.5])[0, 0] == 20.0


def test_geometric_mean() -> None:
    assert metrics.geometric_mean([0.5, 2.0, None]) == pytest.approx(1.0)
    assert metrics.geometric_mean([None]) is None
