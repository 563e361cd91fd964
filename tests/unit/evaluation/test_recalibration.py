"""Recalibration: intervals of new observations hold what they say, the median stays, and quantiles never cross."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.evaluation.recalibration import (
    FILE,
    Recalibration,
    fit_recalibration,
    fitted,
    stored,
)

LEVELS = [0.1, 0.25, 0.5, 0.75, 0.9]
Z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


def forecasts(
    seed: int, rows: int, width: float, *, windows: int = 2, horizon: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return quantiles, actual and scales of normal series of all sizes, whose forecast intervals are `width` times as wide as is right."""
    random = np.random.default_rng(seed)
    size = 10.0 ** random.uniform(-3, 6, size=(rows, 1, 1))
    spread = size * np.sqrt(np.arange(1, horizon + 1))
    actual = 5 * size + spread * random.normal(size=(rows, windows, horizon))
    quantiles = np.broadcast_to((5 * size)[:, :, None], (rows, windows, 1, horizon)) + (
        width * Z[:, None] * spread[:, :, None, :]
    )
    return (
        np.broadcast_to(quantiles, (rows, windows, len(LEVELS), horizon)).copy(),
        actual,
        np.tile(size[:, :, 0], windows),
    )


def coverage(quantiles: np.ndarray, actual: np.ndarray) -> float:
    return float(((actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, -1])).mean())


@pytest.mark.parametrize("width", [0.2, 0.5, 0.9])
def test_intervals_of_new_observations_cover_what_they_say(width: float) -> None:
    found = fit_recalibration(*forecasts(0, 200, width), LEVELS)
    assert found is not None and (found.series, found.windows, found.observations) == (200, 2, 2400)
    quantiles, actual, scales = forecasts(1, 500, width)
    moved = found.apply(quantiles, scales)
    assert abs(coverage(moved, actual) - 0.8) < 0.03
    assert coverage(quantiles, actual) < 0.77
    np.testing.assert_array_equal(moved[:, :, 2], quantiles[:, :, 2])
    assert (np.diff(moved, axis=2) >= 0).all()


def test_intervals_that_are_too_wide_are_narrowed_by_half() -> None:
    found = fit_recalibration(*forecasts(0, 200, 3.0), LEVELS)
    quantiles, actual, scales = forecasts(1, 500, 3.0)
    assert found is not None and coverage(quantiles, actual) > 0.99
    moved = found.apply(quantiles, scales)
    # From three times as wide as is right to twice.
    np.testing.assert_allclose(
        (moved[:, :, -1] - moved[:, :, 0]) / (quantiles[:, :, -1] - quantiles[:, :, 0]), 2 / 3, atol=0.05
    )


def test_auto_takes_what_helps_on_other_series_and_says_why_not() -> None:
    wrong, right = forecasts(0, 60, 0.3), forecasts(0, 60, 1.0)
    assert fitted(*wrong, LEVELS, always=False).recalibration is not None
    few = tuple(part[:5] for part in wrong)
    found = fitted(*few, LEVELS, always=True)
    assert found.recalibration is None and "fewer than" in found.reason
    assert fitted(*right, LEVELS, always=True).recalibration is not None


def test_intervals_without_any_width_are_widened_in_the_series_own_scale() -> None:
    quantiles, actual, scales = forecasts(0, 200, 0.0)
    found = fit_recalibration(quantiles, actual, scales, LEVELS)
    assert found is not None
    assert abs(coverage(found.apply(quantiles, scales), actual) - 0.8) < 0.03
    assert np.isfinite(found.apply(quantiles, np.full_like(scales, np.nan))).all()


def test_missing_observations_count_nowhere() -> None:
    quantiles, actual, scales = forecasts(0, 100, 0.5)
    holes = actual.copy()
    holes[::2, 0] = np.nan
    kept = fit_recalibration(quantiles, holes, scales, LEVELS)
    assert kept is not None and kept.observations == 1200 - 300
    assert fit_recalibration(quantiles, np.full_like(actual, np.nan), scales, LEVELS) is None


def test_it_is_stored_with_the_model(tmp_path: Path) -> None:
    quantiles, actual, scales = forecasts(0, 100, 0.5)
    found = fit_recalibration(quantiles, actual, scales, LEVELS)
    assert found is not None and stored(tmp_path, LEVELS).recalibration is None
    found.save(tmp_path)
    again = stored(tmp_path, LEVELS).recalibration
    assert again == found and (tmp_path / FILE).is_file()
    # A longer horizon than was fitted is moved as the last step.
    longer = np.concatenate([quantiles, quantiles], axis=-1)
    np.testing.assert_array_equal(again.apply(longer, scales)[..., :6], found.apply(quantiles, scales))
    other = stored(tmp_path, [0.1, 0.5, 0.9])
    assert other.recalibration is None and "other quantile levels" in other.reason


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), amount=st.floats(-5, 5))
def test_quantiles_never_cross(seed: int, amount: float) -> None:
    random = np.random.default_rng(seed)
    shifts = random.normal(size=(len(LEVELS), 3)) * amount
    shifts[2] = 0.0
    quantiles = np.sort(random.normal(size=(4, 2, len(LEVELS), 3)), axis=2)
    found = Recalibration(LEVELS, shifts.tolist(), 4, 2, 24)
    moved = found.apply(quantiles, np.ones((4, 2)))
    assert (np.diff(moved, axis=2) >= 0).all()
    np.testing.assert_array_equal(moved[:, :, 2], quantiles[:, :, 2])
