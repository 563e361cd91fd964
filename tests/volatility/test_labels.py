"""The label: five sessions ahead, and only when they have closed."""

import math

import numpy as np
import pytest

from chronos_volatility.features import labels
from tests.volatility.panels import walk


def test_the_label_is_the_root_of_the_next_five_squared_returns():
    market = walk(8, symbols=("SPX",)).assign(ret=[np.nan, 0.01, 0.02, -0.01, 0.03, 0.0, 0.05, 0.01])
    found = labels.compute(market, target="SPX")
    assert len(found) == 3  # the last of eight sessions with five after it is the third
    assert found["rv_5d"].iloc[0] == pytest.approx(math.sqrt(0.01**2 + 0.02**2 + 0.01**2 + 0.03**2))
    assert found["rv_5d"].iloc[2] == pytest.approx(math.sqrt(0.01**2 + 0.03**2 + 0.05**2 + 0.01**2))
    assert found["date"].iloc[2] == market["date"].iloc[2]


def test_no_label_without_five_sessions_or_without_a_move():
    market = walk(7, symbols=("SPX",))
    assert labels.compute(market.head(5), target="SPX").empty
    assert labels.compute(market.assign(ret=0.0), target="SPX").empty
    assert labels.compute(market.assign(ret=[0.01] * 6 + [np.nan]), target="SPX")["date"].tolist() == [
        market["date"].iloc[0]
    ]
