"""Rivals that do not fit into the time are compared on a sample: drawn by the seed, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chronos_training.config import TrainingConfig
from chronos_training.evaluation.forecasts import Array, chunk_of
from chronos_training.evaluation.rivals import FEWEST, Rivals, intermittent, sample
from chronos_training.evaluation.scoring import Scoring
from chronos_training.evaluation.statistical import Pool
from tests.unit.small_panel import chunk_with, panel_of


class Flat(Pool):
    """Forecasts the last value: what is tested here is who is forecast."""

    def forecast(
        self,
        name: str,
        histories: Sequence[Sequence[Array]],
        horizon: int,
        levels: list[float],
        season: int,
        check: Callable[[], None],
    ) -> tuple[Array, int]:
        rows = [[np.full((len(levels), horizon), history[-1]) for history in row] for row in histories]
        return np.array(rows), 1


def config_of(**evaluation: object) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "forecast": {"prediction_length": 7, "quantile_levels": [0.1, 0.5, 0.9], "season_length": 7},
            "evaluation": {"windows": 3, **evaluation},
        }
    )


def many(count: int) -> object:
    values = [np.random.default_rng(i).normal(size=120) for i in range(count)]
    panel = panel_of(values)
    object.__setattr__(panel, "item_ids", [f"s{i}" for i in range(count)])
    return panel


def test_the_sample_follows_the_budget_and_the_seed() -> None:
    panel = many(100)
    names = ["auto_ets", "auto_theta"]
    assert sample(panel, config_of(rivals_seconds=3600), names, 7).all()
    some = sample(panel, config_of(rivals_seconds=10), names, 7)
    more = sample(panel, config_of(rivals_seconds=20), names, 7)
    assert FEWEST < some.sum() < more.sum() < 100
    assert more[some].all()  # a larger budget adds series, and leaves none out
    np.testing.assert_array_equal(some, sample(panel, config_of(rivals_seconds=10), names, 7))
    other = config_of(rivals_seconds=10).model_dump() | {"training": {"seed": 1}}
    assert (sample(panel, TrainingConfig.model_validate(other), names, 7) != some).any()
    assert sample(panel, config_of(rivals_seconds=1), names, 7).sum() == FEWEST


def test_croston_gets_intermittent_series_only() -> None:
    random = np.random.default_rng(0)
    demand = [random.poisson(3, size=120) * (random.random(120) < 0.3) * 1.0 for _ in range(6)]
    config = config_of()
    assert "croston" not in Rivals(panel_of([random.normal(size=120) for _ in range(8)]), config).rows
    panel = panel_of([*demand, random.normal(size=120), 5.0 + random.random(120)])
    np.testing.assert_array_equal(intermittent(panel, config), [True] * 6 + [False] * 2)
    np.testing.assert_array_equal(Rivals(panel, config).rows["croston"], [True] * 6 + [False] * 2)


def test_series_that_a_rival_does_not_forecast_count_nowhere_in_its_scores() -> None:
    panel = panel_of([np.random.default_rng(i).normal(size=120) + 20 for i in range(8)])
    config = config_of(baselines=["auto_ets"])
    rivals = Rivals(panel, config)
    rivals.rows["auto_ets"] = np.arange(8) < 6
    scoring = Scoring(panel, config)
    for items in (range(3), range(3, 8)):
        chunk = chunk_with(panel, config, items)
        rivals.forecast(chunk, Flat(), lambda: None)
        scoring.add(chunk)
    scores = scoring.result()
    assert rivals.said() == {"auto_ets": {"series": 6, "of": 8, "stand_ins": 2}}
    own = [row["auto_ets"]["wql"] for row in scores["per_series"]]
    assert all(value is not None and value > 0 for value in own[:6]) and own[6:] == [None, None]
    assert scores["verdicts"]["auto_ets"]["series"] == 6 and scores["verdicts"]["seasonal_naive"]["series"] == 8
    whole = chunk_of(panel, range(8), config)
    errors = np.abs(whole.actual - np.array([[h[-1] for h in row] for row in whole.histories])[:, :, None])[:6]
    np.testing.assert_allclose(scores["aggregate"]["auto_ets"]["mae"], errors.mean())
