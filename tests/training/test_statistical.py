"""AutoETS and AutoTheta: statsforecast's own forecasts, seasonal naive where there are none, and a stop that ends them."""

from __future__ import annotations

import numpy as np
import pytest
from statsforecast import models

from chronos_training.models.evaluation.statistical import Pool, intervals


@pytest.mark.parametrize("name", ["auto_ets", "auto_theta"])
def test_statistical_models_are_statsforecasts_own_and_fall_back_where_they_cannot(name: str) -> None:
    random = np.random.default_rng(0)
    good = 50 + 8 * np.sin(np.arange(120) * 2 * np.pi / 7) + random.normal(size=120)
    gap = good.copy()
    gap[40:43] = np.nan
    rows = [good, gap, np.full(120, 3.0), np.full(120, np.nan)]
    rows[3][:5] = 1.0
    levels = [0.1, 0.25, 0.5, 0.9]
    with Pool() as pool:
        found, stand_ins = pool.forecast(name, [[row[:106], row[:113]] for row in rows], 7, levels, 7, lambda: None)
    assert found.shape == (4, 2, 4, 7) and np.isfinite(found).all() and (np.diff(found, axis=2) >= 0).all()
    assert stand_ins == 2  # the constant one, and the one that is nearly all missing
    np.testing.assert_array_equal(found[2], 3.0)
    own = {"auto_ets": models.AutoETS, "auto_theta": models.AutoTheta}[name](season_length=7).fit(good[:106])
    for window, end in enumerate((106, 113)):
        answer = own.forward(y=good[:end], h=7, level=intervals(levels))
        np.testing.assert_allclose(found[0, window, 2], answer["mean"])
        np.testing.assert_allclose(found[0, window, 0], answer["lo-80.0"])
        np.testing.assert_allclose(found[0, window, 1], answer["lo-50.0"])
        np.testing.assert_allclose(found[0, window, 3], answer["hi-80.0"])
    # The gap is interpolated: other numbers, and still a forecast of this series and its season.
    assert 0 < np.abs(found[1] - found[0]).max() < 8.0


def test_a_stop_ends_the_statistical_models() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    rows = [[np.random.default_rng(i).normal(size=60)] for i in range(20)]
    with pytest.raises(KeyboardInterrupt), Pool() as pool:
        pool.forecast("auto_ets", rows, 3, [0.5], 1, stop)
