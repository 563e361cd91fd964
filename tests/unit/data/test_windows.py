"""Windows: the same by (seed, index), within bounds, and blind to the held-out part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import DataError
from chronos_training.data.contexts import fill_missing
from chronos_training.data.synthetic.mixing import Stream, generator
from chronos_training.data.windows import TrainingWindows
from tests.unit.small_panel import panel_of

HELD_OUT = 30


def windows(values: list[np.ndarray], seed: int = 0, context: int = 28, horizon: int = 7, **training: Any) -> Any:
    """2,000 windows over a panel whose last 30 observations are held out."""
    config = TrainingConfig.model_validate(
        {
            "forecast": {"prediction_length": horizon},
            "model": {"context_length": context, "patch_size": 1, "min_context": training.pop("min_context", None)},
            "training": {"seed": seed, "steps": 200, "warmup_steps": 0, "batch_size": 10, **training},
            "evaluation": {"windows": 1 + HELD_OUT - horizon, "stride": 1},
        }
    )
    assert config.held_out_length == HELD_OUT
    return TrainingWindows(panel_of(values), config)


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
@given(st.integers(0, 2**32 - 1), st.integers(0, 10**9), st.integers(2, 40), st.integers(1, 20))
def test_windows_are_whole_and_contiguous(seed: int, index: int, context: int, horizon: int) -> None:
    values = [np.arange(90.0 + n) + 1000 * n for n in range(4)]
    drawn = windows(values, seed=seed, context=context, horizon=horizon)[index]
    joined = np.concatenate([drawn["context"][0], drawn["future_target"][0]])
    assert (drawn["context"].shape[1], drawn["future_target"].shape[1]) == (context, horizon)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(np.diff(joined), 1.0)


def test_every_origin_has_a_chance() -> None:
    values = [np.arange(80.0)]
    origins = {windows(values).locate(i)[1] for i in range(2000)}
    assert origins == set(range(28, 80 - HELD_OUT - 7 + 1))


def test_too_short_series_are_refused() -> None:
    with pytest.raises(DataError, match="has 34 observations to train on, but context and horizon need 35"):
        windows([np.zeros(64)])


def test_short_series_are_padded_at_their_begin_when_that_is_allowed() -> None:
    short = [np.arange(1.0, 1.0 + HELD_OUT + 15)]
    drawn = [windows(short, min_context=4)[i] for i in range(100)]
    for one in drawn:
        history = one["context"][0]
        seen = history[~np.isnan(history)]
        assert len(history) == 28 and 4 <= len(seen) <= 8
        assert np.isnan(history[: 28 - len(seen)]).all() and one["future_target"][0, 0] == seen[-1] + 1
    assert {int((~np.isnan(one["context"])).sum()) for one in drawn} == {8}


@pytest.mark.parametrize(
    "shares", [{"synthetic_share": 0.5}, {"mixup_share": 0.5}, {"synthetic_share": 0.4, "mixup_share": 0.4}]
)
def test_synthetic_windows_come_in_their_share_and_are_the_same_each_time(shares: dict[str, float]) -> None:
    values = [(1 + np.arange(5000.0)) * 1e6 for _ in range(3)]  # every real window lies above a million
    first, again = (windows(values, **shares, synthetic_series=5) for _ in range(2))
    made = 0
    for i in range(600):
        np.testing.assert_array_equal(first[i]["context"], again[i]["context"])
        assert np.isfinite(first[i]["context"]).all() and first[i]["future_target"].shape == (1, 7)
        made += bool(first[i]["context"].max() < 1e6)
    assert abs(made / 600 - sum(shares.values())) < 0.08


def test_a_level_far_above_the_variation_costs_no_digit() -> None:
    """Float32 alone would leave nothing of a variation of 1 around 8,589,934,592."""
    near, far = windows(panel()), windows([values + 2.0**33 for values in panel()])
    for i in range(100):
        one, other = (np.append(drawn["context"][0], drawn["future_target"][0]) for drawn in (near[i], far[i]))
        np.testing.assert_allclose(np.diff(other), np.diff(one), atol=1e-5)


def test_a_gap_is_filled_from_the_history_alone() -> None:
    nan = np.nan
    rows = np.array([[1, nan, 3, nan, nan], [nan, nan, 5, nan, 7], [nan] * 5], dtype=np.float32)
    np.testing.assert_array_equal(
        fill_missing(rows, "interpolate"), np.array([[1, 2, 3, 3, 3], [5, 5, 5, 6, 7], [nan] * 5], dtype=np.float32)
    )
    np.testing.assert_array_equal(
        fill_missing(rows, "forward_fill"),
        np.array([[1, 1, 3, 3, 3], [nan, nan, 5, 5, 7], [nan] * 5], dtype=np.float32),
    )


def test_a_stream_gives_what_new_generators_give() -> None:
    stream = Stream(7, 1)
    for index in (3, 0, 3, 2**40):
        random, expected = stream.at(index), generator(7, 1, index)
        # 32-bit draws keep half a word back, which the next index must not get to see.
        assert (
            random.integers(100, size=3, dtype=np.int32).tolist()
            == expected.integers(100, size=3, dtype=np.int32).tolist()
        )
        assert random.random(5).tolist() == expected.random(5).tolist()
