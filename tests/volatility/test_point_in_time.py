"""A row knows nothing of the rows after it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_volatility import features
from chronos_volatility.models.leaks import Leak, require_point_in_time
from tests.volatility.panels import walk

MARKET = walk(140)
TABLE = features.compute(MARKET, target="SPX")


@settings(max_examples=40, deadline=None)
@given(after=st.integers(1, 139), seed=st.integers(0, 2**32 - 1), drop=st.booleans())
def test_later_rows_altered_at_random_change_no_earlier_feature(after, seed, drop):
    rng = np.random.default_rng(seed)
    cut = TABLE["date"].iloc[after - 1]
    altered = MARKET.copy()
    later = altered["date"] > cut
    if drop:
        later &= rng.random(len(altered)) < 0.5
        altered = altered[~later]
    else:
        for name in ("open", "high", "low", "close", "ret"):
            altered.loc[later, name] = altered.loc[later, name] * rng.lognormal(0, 1, int(later.sum()))
    found = features.compute(altered.sample(frac=1, random_state=seed % 1000), target="SPX")
    pd.testing.assert_frame_equal(found.iloc[:after], TABLE.iloc[:after], check_exact=True)


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 139))
def test_a_day_by_itself_is_the_day_of_a_full_rebuild_to_the_last_bit(first):
    found = features.compute(MARKET, target="SPX", first=TABLE["date"].iloc[first])
    pd.testing.assert_frame_equal(found, TABLE.iloc[first:].reset_index(drop=True), check_exact=True)


def test_a_feature_from_the_next_session_is_caught():
    def leaking(market: pd.DataFrame) -> pd.DataFrame:
        table = features.compute(market, target="SPX")
        return table.assign(return_1=table["return_1"].shift(-1))

    sessions = list(TABLE["date"].iloc[[80, 100]])
    with pytest.raises(Leak, match=r"return_1 of 2018-.* on sessions after it"):
        require_point_in_time(leaking, MARKET, sessions)
    require_point_in_time(lambda market: features.compute(market, target="SPX"), MARKET, sessions)
