"""The table of `make bench-panels`: what it calls reached, and which verdicts it finds wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.judged_panels import JUDGED
from tests.bench.panels import Played, believed_wrongly, mean, page, summary

ZERO = dict.fromkeys(JUDGED, 0.95)


def played(panel: str, seed: int, ratio: float, result: str = "better", **more: Any) -> Played:
    about: dict[str, Any] = {
        "panel": panel, "seed": seed, "minutes": 5.0, "sources": "x", "day": f"2026-12-0{seed + 1}", "series": 51,
        "seconds": 60.0, "steps": 1200, "before": 0.6, "coverage": 0.8, "combined": 0.7, "start": "random",
        "relative": {"seasonal_naive": ratio, "auto_ets": ratio, "auto_theta": ratio + 0.1},
        "results": {"seasonal_naive": result, "auto_ets": result, "auto_theta": "worse"},
    }  # fmt: skip
    return Played(**(about | more))


def test_the_panels_are_of_enough_frequencies_and_some_were_not_looked_at() -> None:
    assert len(JUDGED) >= 8 and len({one.freq for one in JUDGED.values()}) >= 5
    assert sum(not one.looked_at for one in JUDGED.values()) >= 4


def test_better_is_wrong_where_the_mean_over_seeds_is_not() -> None:
    lucky = [played("birthdays", 0, 0.9), played("birthdays", 1, 1.5, "worse"), played("birthdays", 2, 1.1, "worse")]
    assert believed_wrongly(lucky) == ["auto_ets", "seasonal_naive"]
    assert believed_wrongly([played("birthdays", seed, 0.9) for seed in range(3)]) == []


def test_the_combination_is_told_beside_the_model() -> None:
    told = summary(
        {"birthdays": [played("birthdays", 0, 0.8, combined=0.6), played("birthdays", 1, 0.8, combined=None)]},
        {"birthdays": 0.95},
    )
    # The better rival has 0.8 / 0.9 of seasonal naive's loss.
    assert any("seasonal naive: 0.600 of seasonal naive, 0.675 of the better" in line for line in told)
    assert "- The base model zero-shot: 0.950 of seasonal naive." in told


def test_goals_go_by_the_geometric_mean_over_panels_and_the_better_rival() -> None:
    told = "\n".join(
        summary({"birthdays": [played("birthdays", 0, 0.5)], "housing": [played("housing", 0, 2.0)]}, ZERO)
    )
    assert "1.000 of seasonal naive; goal 0.85 (not reached)" in told
    assert f"{mean([0.6, 2.1]):.3f} of the better" in told
    assert mean([0.5, 2.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(("series", "coverage", "says"), [(51, 0.6, "birthdays"), (12, 0.6, "none"), (51, 0.8, "none")])
def test_coverage_is_judged_where_there_are_twenty_series(series: int, coverage: float, says: str) -> None:
    told = summary({"birthdays": [played("birthdays", 0, 0.8, series=series, coverage=coverage)]}, ZERO)
    assert f"more than 85 %: {says} " in told[-1]


def test_the_page_says_what_was_not_looked_at_when_it_was_first_run_and_what_is_missing() -> None:
    names = ("birthdays", "gdp")
    text = page({name: [played(name, seed, 0.8) for seed in range(3)] for name in names}, ZERO, 5.0)
    assert "## 1 panel not looked at, first run on 2026-12-01" in text and "seeds 0, 1, 2" in text
    assert "60% → 80%" in text and "Not measured yet: us_employment" in text
