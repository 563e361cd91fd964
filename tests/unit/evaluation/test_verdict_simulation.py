"""Models of equal skill are called better as rarely as the interval says; planted worse ones are never recommended."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.evaluation.simulation import Cell, shares

DRAWS = 150
# Half of the 5 % that a 95 % interval leaves out, and three standard errors of DRAWS draws.
MOST = 0.025 + 3 * np.sqrt(0.025 * 0.975 / DRAWS)


@pytest.mark.parametrize(
    "cell",
    [
        Cell("few series", 6, 4),
        Cell("usual", 51, 4),
        Cell("many windows", 20, 12),
        Cell("two windows", 51, 2),
        Cell("four holidays", 51, 4, of_items=0.05, of_dates=0.3, of_windows=0.05),
    ],
    ids=lambda cell: cell.name,
)
def test_equal_skill_is_called_better_as_rarely_as_the_interval_says(cell: Cell) -> None:
    better, _, _ = shares(cell, DRAWS)
    assert better <= MOST  # "worse" may be said more often: who loses on every series is worse, whatever the reason


@pytest.mark.parametrize("cell", [Cell("few", 51, 4, worse_by=1.25), Cell("many", 51, 12, worse_by=1.25)])
def test_a_planted_worse_model_is_never_recommended(cell: Cell) -> None:
    better, worse, recommended = shares(cell, DRAWS)
    assert better == recommended == 0.0 and worse > 0.5


def test_a_planted_better_model_is_found() -> None:
    better, _, recommended = shares(Cell("better", 51, 4, worse_by=0.75), DRAWS)
    assert better > 0.5 and recommended > 0.9
