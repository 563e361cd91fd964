"""The combination's weights: what is right gets all, errors that cancel are shared, and it is judged like any forecaster."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from chronos_training.evaluation.combine import COMBINATION, Combination, fit_weights
from chronos_training.evaluation.scoring import Scoring
from tests.unit.evaluation.test_rivals import config_of
from tests.unit.small_panel import chunk_with, panel_of

LEVELS = [0.1, 0.5, 0.9]
Z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])[:, None]


def test_weights_follow_the_loss_and_sum_to_one() -> None:
    random = np.random.default_rng(0)
    size = 10.0 ** random.uniform(-3, 4, size=(60, 1, 1))
    actual = size * (10 + random.normal(size=(60, 2, 8)))
    scale = np.broadcast_to(size[:, :, 0], (60, 2))

    def shifted(by: np.ndarray | float) -> np.ndarray:
        middle = np.broadcast_to(size * (10 + np.asarray(by)), actual.shape)[:, :, None]
        return np.asarray(middle + size[..., None] * Z)

    right, off = shifted(0.0), shifted(3.0)
    assert fit_weights({"a": off, "b": right}, actual, scale, LEVELS) == {"b": 1.0}
    cancel = fit_weights({"a": shifted(-1.0), "b": shifted(1.0)}, actual, scale, LEVELS)
    assert abs(cancel["a"] - 0.5) < 0.1 and abs(sum(cancel.values()) - 1.0) < 1e-3
    # Missing values and a series without a scale count nowhere.
    actual[0, 0, :4], actual[1] = np.nan, 1e9
    broken = scale.copy()
    broken[1] = np.nan
    assert fit_weights({"a": off, "b": right}, actual, broken, LEVELS) == {"b": 1.0}


def test_a_combination_is_scored_with_verdicts_of_its_own_on_the_series_of_all_its_members() -> None:
    panel = panel_of([np.random.default_rng(i).normal(size=120) + 20 for i in range(8)])
    config = config_of()
    scoring = Scoring(panel, config)
    chunk = chunk_with(panel, config, range(8))
    chunk.quantiles["auto_ets"] = chunk.quantiles["seasonal_naive"].copy()
    chunk.sampled["auto_ets"] = np.arange(8) != 3
    chunk.quantiles["auto_ets"][3] = np.nan
    Combination({"model": 0.5, "auto_ets": 0.5}, "").add_to(chunk)
    expected = (chunk.quantiles["model"] + chunk.quantiles["seasonal_naive"]) / 2
    np.testing.assert_allclose(chunk.quantiles[COMBINATION][:3], expected[:3])
    scoring.add(chunk)
    found = scoring.result()
    assert set(found["combination"]["verdicts"]) == {"seasonal_naive", "model"}
    assert found["combination"]["verdicts"]["model"]["series"] == 7
    assert "the model alone" in found["combination"]["verdicts"]["model"]["sentence"]
    assert COMBINATION not in found["verdicts"]  # it is no rival: the model is part of it
