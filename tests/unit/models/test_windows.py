"""Windows: the same by (seed, index), within bounds, and blind to the held-out part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.core.errors import DataError
from chronos_training.models.windows import TrainingWindows, training_part

HELD_OUT = 30


def windows(values: list[np.ndarray], seed: int = 0, context: int = 28, horizon: int = 7) -> TrainingWindows:
    part = training_part(values, HELD_OUT)
    return TrainingWindows(part, context_length=context, prediction_length=horizon, seed=seed, length=2000)


def panel() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=n) for n in (100, 150, 66)]


def test_any_order_and_any_process_sees_the_same_window() -> None:
    first, second = windows(panel()), windows(panel())
    order = np.random.default_rng(1).permutation(500)
    drawn = {int(i): first[int(i)] for i in order}
    for i in range(500):
        for key in ("context", "future_target"):
            np.testing.assert_array_equal(drawn[i][key], second[i][key])


def test_seeds_and_indices_differ() -> None:
    one, two = windows(panel(), seed=1), windows(panel(), seed=2)
    assert [one.locate(i) for i in range(50)] != [two.locate(i) for i in range(50)]
    assert len({one.locate(i) for i in range(200)}) > 60


def test_no_window_changes_when_the_future_is_shuffled() -> None:
    values = panel()
    generator = np.random.default_rng(5)
    shuffled = [np.concatenate([v[:-HELD_OUT], generator.permutation(v[-HELD_OUT:]) * 1e6]) for v in values]
    real, other = windows(values), windows(shuffled)
    for i in range(2000):
        np.testing.assert_array_equal(real[i]["context"], other[i]["context"])
        np.testing.assert_array_equal(real[i]["future_target"], other[i]["future_target"])


def test_the_last_observation_before_the_held_out_part_is_used() -> None:
    values = [np.arange(100.0)]
    assert max(windows(values)[i]["future_target"].max() for i in range(2000)) == 100 - HELD_OUT - 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 10**9), st.integers(1, 40), st.integers(1, 20))
def test_windows_are_whole_and_contiguous(seed: int, index: int, context: int, horizon: int) -> None:
    values = [np.arange(90.0 + n) + 1000 * n for n in range(4)]
    drawn = windows(values, seed=seed, context=context, horizon=horizon)[index]
    joined = np.concatenate([drawn["context"], drawn["future_target"]])
    assert (len(drawn["context"]), len(drawn["future_target"])) == (context, horizon)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(np.diff(joined), 1.0)


def test_every_origin_has_a_chance() -> None:
    values = [np.arange(80.0)]
    origins = {windows(values).locate(i)[1] for i in range(2000)}
    assert origins == set(range(28, 80 - HELD_OUT - 7 + 1))


def test_too_short_series_are_refused() -> None:
    with pytest.raises(DataError, match="has 34 observations to learn from; context and horizon need 35"):
        windows([np.zeros(64)])
