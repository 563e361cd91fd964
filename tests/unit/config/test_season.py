"""forecast.season_length: auto is what the data repeat after, and a season that they contradict is warned of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.config.remarks import remarks
from chronos_training.config.season import candidates, season_of
from chronos_training.data.season import measured, repetition


@pytest.mark.parametrize(
    ("freq", "lengths"),
    [
        ("D", [7, 365]), ("B", [5, 260]), ("W-SUN", [52]), ("14D", [26]), ("2W-MON", [26]), ("MS", [12]), ("ME", [12]),
        ("3ME", [4]), ("QS-JAN", [4]), ("YE-DEC", []), ("h", [24, 168]), ("4h", [6, 42]), ("30min", [48, 336]),
        ("10min", [144, 1008, 6]), ("5min", [288, 2016, 12]), ("min", [1440, 60]), ("", []),
    ],
)  # fmt: skip
def test_the_calendars_seasons_of_a_frequency(freq: str, lengths: list[int]) -> None:
    assert [length for _, length in candidates(freq)] == lengths


def panel(*series: Any, freq: str) -> dict[str, Any]:
    """Return what the manifest of a panel says."""
    frame = pd.concat(
        [pd.DataFrame({"item_id": f"s{i}", "target": np.asarray(one, float)}) for i, one in enumerate(series)]
    )
    shortest = min(map(len, series))
    return {"freq": freq, "shortest_series": shortest, "seasons": measured(frame, freq, ["target"])}


def waves(season: float, length: int, strength: float = 2.0, count: int = 5) -> list[Any]:
    random, time = np.random.default_rng(0), np.arange(length)
    level = random.normal(size=(count, 1)) * 1e6
    return list(
        level + 0.05 * time + strength * np.sin(2 * np.pi * time / season) + random.normal(size=(count, length))
    )


@pytest.mark.parametrize(
    ("freq", "season", "length"),
    [("W-SUN", 52, 260), ("D", 7, 90), ("h", 24, 400), ("MS", 12, 72), ("QS-JAN", 4, 30), ("5min", 288, 1500)],
)
def test_a_planted_season_is_found_on_any_level_and_trend(freq: str, season: int, length: int) -> None:
    about = panel(*waves(season, length), freq=freq)
    found = season_of("auto", about, length - season // 2)
    assert found.length == season and "the data repeat after it" in found.reason and found.warning is None


def test_the_longer_season_counts_where_it_says_more_than_the_shorter_that_it_contains() -> None:
    random, hour = np.random.default_rng(0), np.arange(24 * 7 * 8)
    week = np.where(hour // 24 % 7 >= 5, 0.0, 4.0) * np.sin(2 * np.pi * hour / 24)
    series = [week + random.normal(size=len(hour)) for _ in range(4)]
    assert season_of("auto", panel(*series, freq="h")).length == 168
    assert season_of("auto", panel(*waves(24, len(hour)), freq="h")).length == 24


@pytest.mark.parametrize("steps", [1, 0])
def test_noise_and_random_walks_have_no_season(steps: int) -> None:
    random = np.random.default_rng(1)
    series = [np.cumsum(one) if steps else one for one in random.normal(size=(20, 400))]
    found = season_of("auto", panel(*series, freq="D"), 372)
    assert found.length == 1 and found.reason.startswith("The data do not repeat")


def test_too_short_series_take_the_usual_season_if_two_fit_and_what_is_held_out_has_no_part_in_it() -> None:
    short = panel(np.arange(30), freq="MS")
    assert short["seasons"] == []
    assert season_of("auto", short, 26).length == 12
    assert season_of("auto", short, 24).length == 1
    assert season_of("auto", {"freq": "W-SUN"}).length == 52  # published before seasons were measured
    # The season begins with the last fifth.
    late = np.random.default_rng(0).normal(size=300)
    late[245:] += 50 * np.sin(2 * np.pi * np.arange(55) / 7)
    assert season_of("auto", panel(late, late, late, freq="D")).length == 1


def test_a_configured_season_that_the_data_contradict_is_warned_of_and_kept() -> None:
    weekly = panel(*waves(52, 260), freq="W-SUN")
    config = TrainingConfig.model_validate({"forecast": {"season_length": 1, "prediction_length": 4}})
    assert config.season_length(weekly) == 1
    assert "the data repeat after 52 observations" in remarks(config, weekly)[0]
    for fine in (52, 104, "auto"):
        assert season_of(fine, weekly).warning is None
    noise = panel(*np.random.default_rng(0).normal(size=(5, 260)), freq="W-SUN")
    assert season_of(52, noise).warning is None and season_of(1, noise).warning is None


def test_gaps_outliers_constants_and_nothing_at_all() -> None:
    series = waves(7, 120)[0]
    series[20:30] = np.nan
    series[50] = 1e12
    found = repetition(series, 7)
    assert found is not None and found[0] > 0.2
    assert repetition(np.full(100, 3.1), 7) is None
    assert repetition(np.full(100, np.nan), 7) is None
    assert repetition(1e9 + np.zeros(100), 7) is None
    assert measured(pd.DataFrame({"item_id": [], "target": []}), "D", ["target"]) == []
