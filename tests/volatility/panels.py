"""Market data for tests: random walks, and the real S&P 500."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from chronos_volatility import features
from chronos_volatility.calendar import get_calendar
from chronos_volatility.features import labels
from chronos_volatility.ingest.curate import curate
from chronos_volatility.models.design import Design
from chronos_volatility.sources.bundled import Bundled


def walk(
    sessions: int, seed: int = 0, *, last: str = "2018-12-07", symbols: tuple[str, ...] = ("SPX", "VIX")
) -> pd.DataFrame:
    """curated.market_daily of persistent volatility, long: what tests shapes and rules, and no score."""
    rng = np.random.default_rng(seed)
    dates = get_calendar().sessions("1990-01-02", last)[-sessions:]
    log_sigma = np.zeros(sessions)
    for day in range(1, sessions):
        log_sigma[day] = 0.97 * log_sigma[day - 1] + 0.15 * rng.standard_normal()
    sigma = 0.01 * np.exp(log_sigma)
    frames = []
    for symbol in symbols:
        if symbol.startswith("VIX"):
            close = np.clip(100 * np.sqrt(252) * sigma * np.exp(0.1 * rng.standard_normal(sessions)), 6, 140)
            opened = close
        else:
            steps = sigma * rng.standard_normal(sessions)
            close = 100 * np.exp(np.cumsum(steps))
            opened = close * np.exp(-steps * rng.uniform(0.5, 1, sessions))
        spread = np.exp(sigma * np.abs(rng.standard_normal(sessions)) + 1e-4)
        frames.append(
            pd.DataFrame({
                "date": dates, "symbol": symbol, "open": opened, "high": np.maximum(opened, close) * spread,
                "low": np.minimum(opened, close) / spread, "close": close, "adj_close": close,
                "ret": np.concatenate([[np.nan], np.diff(np.log(close))]),
            })
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def design_of(market: pd.DataFrame, target: str = "SPX", **changes: object) -> Design:
    rows = features.compute(market, target=target).merge(labels.compute(market, target=target), on="date")
    values = rows[list(features.NAMES)].to_numpy(np.float64)
    about = {"target": target, "cut": str(market["date"].max().date()), "digest": "0" * 64, **changes}
    return Design(
        rows["date"].to_numpy().astype("datetime64[D]"), features.NAMES, values, rows["rv_5d"].to_numpy() ** 2,
        feature_set_version=features.VERSION, **about,
    )  # fmt: skip


@lru_cache(maxsize=1)
def real() -> pd.DataFrame:
    """curated.market_daily of the S&P 500 and the VIX from 1990 to 2018, as bundled."""
    source, first, last = Bundled(), pd.Timestamp("1990-01-02"), pd.Timestamp("2018-12-07")
    raw = pd.concat([source.fetch(symbol, first, last).frame.assign(symbol=symbol) for symbol in ("SPX", "VIX")])
    nothing = pd.DataFrame({"symbol": [], "close": [], "adj_close": []})
    return curate(raw, nothing)


@lru_cache(maxsize=2)
def real_design(with_vix: bool = True) -> Design:
    """The design of `real`, with or without the VIX."""
    market = real()
    return design_of(market if with_vix else market[market["symbol"] == "SPX"])
