"""What has to be beaten: seasonal naive in its three forms, and naive."""

from __future__ import annotations

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.evaluation.baselines import (
    BASELINES,
    seasonal_naive,
    seasonal_naive_gaussian,
    seasonal_naive_point,
)
from chronos_training.evaluation.forecasts import origins_of

NAN = float("nan")
LEVELS = [0.1, 0.5, 0.9]


def test_point_form_repeats_the_last_season() -> None:
    history = np.array([9.0, 9, 9, 1, 2, 3])
    np.testing.assert_array_equal(seasonal_naive_point(history, 5, LEVELS, 3), np.tile([1.0, 2, 3, 1, 2], (3, 1)))


def test_a_missing_last_value_comes_from_the_season_before() -> None:
    history = np.array([4.0, 5, 6, 1, NAN, 3])
    np.testing.assert_array_equal(seasonal_naive_point(history, 3, [0.5], 3), [[1.0, 5, 3]])
    assert np.isfinite(seasonal_naive(np.array([NAN, 2.0, NAN, 3.0]), 4, LEVELS, 2)).all()


def test_gaussian_width_grows_with_the_root_of_the_seasons_ahead() -> None:
    history = np.array([0.0, 1, 0, 1, 0, 1, 2, 3])  # differences of lag 2: 0 0 0 0 2 2 -> sigma = sqrt(8/6)
    out = seasonal_naive_gaussian(history, 4, [0.5, 0.9], 2)
    np.testing.assert_array_equal(out[0], [2, 3, 2, 3])
    sigma = np.sqrt(8 / 6)
    np.testing.assert_allclose(out[1] - out[0], 1.2815515655 * sigma * np.sqrt([1, 1, 2, 2]))


def test_empirical_form_uses_the_errors_of_its_own_distance() -> None:
    history = np.arange(40.0)  # one season back the error is always 4, two seasons back 8
    out = seasonal_naive(history, 8, LEVELS, 4)
    np.testing.assert_array_equal(out[1], np.arange(40.0, 48.0))  # the drift is learnt from the errors


def test_the_empirical_form_is_calibrated_on_noise() -> None:
    generator = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        series = generator.exponential(size=207)
        hits.append(series[200:] <= seasonal_naive(series[:200], 7, LEVELS, 7)[2])
    assert np.mean(hits) == pytest.approx(0.9, abs=0.02)


def test_windows_end_with_the_series_and_lie_in_the_held_out_part(config: TrainingConfig) -> None:
    origins = origins_of(120, config)
    assert origins == [99, 106, 113]
    assert origins[0] == 120 - config.held_out_length and origins[-1] + 7 == 120


def test_naive_is_a_random_walk() -> None:
    history = np.array([1.0, 2, 4, 3])  # steps 1, 2, -1: sigma = sqrt(2)
    out = BASELINES["naive"](history, 4, [0.5, 0.9], 7)
    np.testing.assert_array_equal(out[0], 3.0)
    np.testing.assert_allclose(out[1] - out[0], 1.2815515655 * np.sqrt(2) * np.sqrt([1, 2, 3, 4]))
