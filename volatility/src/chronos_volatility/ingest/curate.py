"""curated.market_daily from raw.market."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chronos_volatility.tables.schemas import PRICES

_SAME = 1e-9  # relative: what another order of the same sums changes
COLUMNS = ["date", "symbol", *PRICES, "adj_close", "ret"]


def curate(raw: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Return the curated rows of the rows `raw` of raw.market.

    ret = ln((close·split + dividend) / previous close), null for a symbol's first session. adj_close is a total-return index
    that begins with the first close: the previous one times exp(ret). It looks back only, unlike a vendor's adjusted close,
    which every dividend changes back to the beginning. `before` has the last curated row of each symbol before `raw` begins.
    """
    parts = []
    last = before.set_index("symbol")
    for symbol, rows in raw.sort_values("date").groupby("symbol", sort=False):
        known = symbol in last.index
        previous = rows["close"].shift(fill_value=float(last.loc[symbol, "close"]) if known else np.nan)
        ret = np.log((rows["close"] * rows["split"] + rows["dividend"]) / previous)
        begin = float(last.loc[symbol, "adj_close"]) if known else float(rows["close"].iloc[0])
        parts.append(rows.assign(ret=ret, adj_close=begin * np.exp(ret.fillna(0.0).cumsum())))
    if not parts:
        return pd.DataFrame({name: [] for name in COLUMNS})
    return pd.concat(parts)[COLUMNS].sort_values(["date", "symbol"], ignore_index=True)


def keep_stored(rows: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return `rows`, with the stored values where both agree but for the rounding of sums.

    A chain that is continued adds in another order than one that is made at once; neither is a correction of the other.
    """
    numbers = [*PRICES, "adj_close", "ret"]
    both = rows.merge(stored, on=["date", "symbol"], how="left", suffixes=("", "_stored"))
    kept = rows.reset_index(drop=True).copy()
    now = both[numbers].to_numpy(float)
    then = both[[f"{name}_stored" for name in numbers]].to_numpy(float)
    scale = np.where(np.array(numbers) == "ret", 1.0, np.abs(then))
    same = (np.abs(now - then) <= _SAME * scale) | (
        np.isnan(now) & np.isnan(then) & both[["close_stored"]].notna().to_numpy()
    )
    whole = same.all(axis=1)
    kept.loc[whole, numbers] = then[whole]
    return kept
