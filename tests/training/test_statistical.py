"""AutoETS and AutoTheta: statsforecast's own forecasts, seasonal naive where there are none, and a stop that ends them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from statsforecast import models

from chronos_training.core.errors import TrainingError
from chronos_training.evaluation.statistical import Pool, fitted_length, intervals, shortened
from tests.training.conftest import environment


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
    own = {"auto_ets": models.AutoETS, "auto_theta": models.AutoTheta}[name](season_length=7)
    for window, end in enumerate((106, 113)):
        answer = own.forecast(y=good[:end], h=7, level=intervals(levels))
        np.testing.assert_allclose(found[0, window, 2], answer["mean"])
        np.testing.assert_allclose(found[0, window, 0], answer["lo-80.0"])
        np.testing.assert_allclose(found[0, window, 1], answer["lo-50.0"])
        np.testing.assert_allclose(found[0, window, 3], answer["hi-80.0"])
    # The gap is interpolated: other numbers, and still a forecast of this series and its season.
    assert 0 < np.abs(found[1] - found[0]).max() < 8.0


def test_the_models_see_ten_seasons_and_no_less_than_200_observations() -> None:
    assert fitted_length(5000, 52) == 520 and fitted_length(5000, 168) == 1680
    assert fitted_length(5000, 7) == 200 and fitted_length(150, 52) == 150
    np.testing.assert_array_equal(shortened(np.arange(1000.0), 52), np.arange(480.0, 1000.0))


def test_croston_forecasts_intermittent_series_with_quantiles_that_are_not_negative() -> None:
    random = np.random.default_rng(0)
    rows = [[random.poisson(4, size=160) * (random.random(160) < 0.3) * 1.0] for _ in range(3)]
    with Pool() as pool:
        found, stand_ins = pool.forecast("croston", [*rows, [rows[0][0][:20]]], 7, [0.1, 0.5, 0.9], 7, lambda: None)
    assert stand_ins == 1  # twenty observations leave no windows for conformal intervals
    assert (found[:3] >= 0).all() and (np.diff(found, axis=2) >= 0).all()
    own = models.CrostonSBA().forecast(rows[0][0], 7)["mean"]
    np.testing.assert_allclose(found[0, 0, 1], own)


def test_a_stop_ends_the_statistical_models() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    rows = [[np.random.default_rng(i).normal(size=60)] for i in range(20)]
    with pytest.raises(KeyboardInterrupt), Pool() as pool:
        pool.forecast("auto_ets", rows, 3, [0.5], 1, stop)


@pytest.mark.parametrize("name", ["auto_ets", "auto_theta"])
def test_a_long_season_is_taken_out_first(name: str) -> None:
    """Half-hours of a day: without their season these models are no rivals at all."""
    time = np.arange(480)
    series = 100 + 20 * np.sin(2 * np.pi * time / 48) + np.random.default_rng(0).normal(size=480)
    with Pool() as pool:
        found, stand_ins = pool.forecast(name, [[series[:384], series[:432]]], 48, [0.1, 0.5, 0.9], 48, lambda: None)
    assert stand_ins == 0
    for window, origin in enumerate((384, 432)):
        assert np.abs(found[0, window, 1] - series[origin : origin + 48]).mean() < 2.0


def test_a_killed_process_is_one_sentence() -> None:
    """Killed between two models: whether the pool has noticed by the next order or not, the sentence is the same."""
    rows = [[np.random.default_rng(i).normal(size=60)] for i in range(16)]
    others = psutil.Process().children(recursive=True)
    with Pool() as pool:
        pool.forecast("auto_theta", rows, 3, [0.5], 1, lambda: None)
        fitting = [
            child
            for child in psutil.Process().children()
            if child not in others and "spawn_main" in child.cmdline()[-2]
        ]
        assert fitting
        for child in fitting:
            child.kill()
        with pytest.raises(TrainingError, match=r"processes that fit auto_ets was killed"):
            pool.forecast("auto_ets", rows, 3, [0.5], 1, lambda: None)


def test_no_process_outlives_the_one_that_evaluates(tmp_path: Path) -> None:
    script = tmp_path / "evaluate.py"
    script.write_text(
        "import time\nimport numpy as np\nfrom chronos_training.evaluation.statistical import Pool\n"
        "if __name__ == '__main__':\n"
        "    with Pool() as pool:\n"
        "        pool.forecast('auto_ets', [[np.arange(60.0) % 7]] * 16, 3, [0.5], 7, lambda: None)\n"
        "        print('ready', flush=True)\n        time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    others = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert others and not psutil.wait_procs(others, timeout=60)[1]
