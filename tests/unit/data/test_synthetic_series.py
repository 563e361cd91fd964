"""Synthetic series: reproducible, finite, and of the kinds that they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chronos_training.data.synthetic import panel as synthetic_panel
from chronos_training.data.synthetic import parts as synthetic_parts
from chronos_training.data.synthetic import series as synthetic_series
from chronos_training.data.synthetic.mixing import generator
from chronos_training.data.synthetic.series import KINDS, Kind, series


def small(number: int = 30, seed: int = 1) -> pd.DataFrame:
    return synthetic_panel.panel(number, seed=seed, shortest=40, full=100, longest=120)


def test_a_panel_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    pd.testing.assert_frame_equal(small(), small())
    assert not np.array_equal(small(seed=1)["target"], small(seed=2)["target"], equal_nan=True)


def test_more_series_begin_with_those_of_fewer() -> None:
    few = small(5)
    pd.testing.assert_frame_equal(small(9).iloc[: len(few)], few)


def test_lengths_are_those_asked_for_and_both_short_and_full_ones_occur() -> None:
    lengths = small(60).groupby("item_id").size()
    assert lengths.between(40, 120).all()
    assert (lengths < 100).any() and (lengths >= 100).any()


def test_a_series_begins_and_ends_with_a_value_and_is_of_one_day_after_another() -> None:
    for _, one in small(60).groupby("item_id"):
        assert np.isfinite(one["target"].iloc[[0, -1]]).all()
        assert (one["timestamp"].diff().dropna() == pd.Timedelta(days=1)).all()


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS], ids=lambda kind: kind.__name__)
def test_every_kind_gives_finite_values_that_float32_holds(kind: Kind) -> None:
    for index in range(40):
        values = kind(generator(3, 0, index), 150)
        assert values.shape == (150,)
        assert np.isfinite(values.astype(np.float32)).all()


def test_counts_are_whole_and_never_negative_and_intermittent_demand_is_often_zero() -> None:
    for index in range(30):
        counts = synthetic_series.counts(generator(4, 0, index), 200)
        demand = synthetic_series.intermittent(generator(4, 1, index), 200)
        for values in (counts, demand):
            assert (values >= 0).all() and np.array_equal(values, np.round(values))
        assert (demand == 0).mean() > 0.2


def test_a_season_returns_after_its_period() -> None:
    """Seasons drift in some draws: most of them, not all, are like the one before."""
    alike = []
    for index in range(60):
        values = synthetic_parts.season(generator(5, 0, index), 24 * 12, 24.0)
        alike.append(np.corrcoef(values[:-24], values[24:])[0, 1])
    assert np.median(alike) > 0.9


def test_holidays_return_every_year() -> None:
    effects = synthetic_parts.holidays(generator(6, 0, 0), 365 * 3, 365.0)
    np.testing.assert_array_equal(effects[:365] != 0, effects[365:730] != 0)


def test_some_series_have_gaps() -> None:
    gaps = [np.isnan(series(generator(7, 0, index), 100)).any() for index in range(200)]
    assert 0.03 < np.mean(gaps) < 0.25


def test_the_command_writes_a_panel_that_can_be_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from chronos_training.data.prepare import prepare

    file = tmp_path / "panel.parquet"
    words = ["--output", str(file), "--series", "6", "--shortest", "30", "--full", "40", "--longest", "50"]
    assert synthetic_panel.main(words) == 0
    assert "6 series" in capsys.readouterr().out
    assert prepare(str(file), "made", tmp_path / "dataset")["rows"] == len(pd.read_parquet(file))


@pytest.mark.parametrize("words", [["--output", "panel.csv"], ["--output", "panel.parquet", "--shortest", "900"]])
def test_the_command_refuses_what_it_cannot_do(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert synthetic_panel.main(words) == 2
    assert "ERROR: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
