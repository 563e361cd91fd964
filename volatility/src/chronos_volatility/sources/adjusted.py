"""From prices that a vendor adjusted afterwards to prices as they were traded, with dividends and splits beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chronos_volatility.sources.base import SourceError
from chronos_volatility.sources.csv_prices import Prices

SPLIT = 1.25  # an overnight factor from here on is no dividend
_PRICES = ["open", "high", "low", "close"]


def undo_splits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with prices and dividends multiplied by all later splits, and the volume divided by them.

    For vendors that divide the past by each split: without this, all stored prices would change on the day of a split.
    `frame` must reach to the vendor's present, since splits after its end cannot be seen.
    """
    later = frame["split"][::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
    undone = frame.copy()
    for name in [*_PRICES, "dividend"]:
        undone[name] = frame[name] * later
    undone["volume"] = frame["volume"] / later
    return undone


def from_adjusted_close(prices: Prices, name: str) -> pd.DataFrame:
    """Return the rows with `dividend` and `split` such that ln((close·split + dividend) / previous close) is the
    return of `adj_close`. SourceError when the adjusted closes mean a negative dividend.

    An overnight factor of SPLIT or more (or its inverse) is a split. One so near to 1 that the rounding of `adj_close`
    explains it is none.
    """
    frame = prices.frame
    close, adjusted = frame["close"], frame["adj_close"]
    if (adjusted <= 0).any():
        row = frame.loc[(adjusted <= 0).idxmax(), "date"]
        raise SourceError(f"{name}: the adjusted close of {row:%Y-%m-%d} is not positive.")
    factor = (adjusted / adjusted.shift()) / (close / close.shift())
    factor.iloc[0] = 1.0
    split = factor.where((factor >= SPLIT) | (factor <= 1 / SPLIT), 1.0)
    # Both closes of the factor are rounded to half a unit.
    rounding = prices.adjusted_unit * (1 / adjusted + 1 / adjusted.shift().fillna(np.inf)) / 2
    paid = factor.where(split == 1.0, 1.0) - 1
    paid = paid.where(paid.abs() > np.maximum(2 * rounding, 2e-5), 0.0)
    if (paid < 0).any():
        row = frame.loc[(paid < 0).idxmax(), "date"]
        raise SourceError(
            f"{name}: the adjusted close of {row:%Y-%m-%d} falls by more than the close, which no dividend explains.",
            hint="Remove the adjusted close from the file if the prices themselves are right.",
        )
    return frame.assign(dividend=paid * close, split=split).drop(columns="adj_close")
