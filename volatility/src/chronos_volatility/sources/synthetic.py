"""Made-up prices of all five symbols, to try the line without a network; they are never scored.

Returns are of a GJR-GARCH(1,1) with parameters of the size that the S&P 500 has; VIX and VIX3M follow its variance, HYG its
returns and TLT the opposite of them. The day's range is that of a random walk of 78 steps, which is what 5-minute prices
of a session are. A seed gives the same prices always, and a longer stretch begins with the shorter one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import SYNTHETIC
from chronos_volatility.sources.base import COLUMNS, Answer

SYMBOLS = ("SPY", "VIX", "VIX3M", "TLT", "HYG")
STEPS = 78
SESSIONS_A_YEAR = 252
# Daily variance: constant, ARCH, leverage and GARCH terms; together a yearly volatility of about 17 %.
OMEGA, ALPHA, GAMMA, BETA = 2.0e-6, 0.03, 0.13, 0.885
MEAN = 3e-4
QUARTERLY_YIELD = {"SPY": 0.004, "TLT": 0.007, "HYG": 0.013}
SPLITS = {"SPY": ("2015-06-01", 2.0)}
FIRST_CLOSE = {"SPY": 113.0, "TLT": 90.0, "HYG": 88.0}


class Synthetic:
    """The source `synthetic`. Its rows carry its name, which is the mark (`tables.refuse_synthetic`)."""

    name, live, explicit = SYNTHETIC, True, False

    def __init__(self, seed: int = 0, calendar: str = "XNYS", begins: str = "2010-01-04") -> None:
        """The first session is the one on or after `begins`."""
        self._seed, self._calendar, self._begins = seed, calendar, begins

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return symbol in SYMBOLS

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        frame = _made(self._seed, self._calendar, self._begins)[symbol]
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)])


@lru_cache(maxsize=2)
def _made(seed: int, calendar_name: str, begins: str) -> dict[str, pd.DataFrame]:
    calendar = get_calendar(calendar_name)
    days = calendar.sessions(begins, calendar.last)
    # One row of numbers a session, so that a longer stretch does not change the shorter one.
    numbers = np.random.default_rng(seed).standard_normal((len(days), 3 * STEPS + 4))
    steps = numbers[:, : 3 * STEPS].reshape(len(days), 3, STEPS)
    noise = numbers[:, 3 * STEPS :]
    shocks = steps.sum(axis=2) / np.sqrt(STEPS)
    variance = _variance(shocks[:, 0])
    volatility = np.sqrt(variance)
    level = 100 * np.sqrt(SESSIONS_A_YEAR * variance) * 1.15 * np.exp(0.04 * noise[:, 0])
    made = {"SPY": _paths("SPY", days, volatility, steps[:, 0])}
    for symbol, weight, scale in (("TLT", -0.4, 0.8), ("HYG", 0.6, 0.4)):
        mixed = weight * steps[:, 0] + np.sqrt(1 - weight**2) * steps[:, 1 if symbol == "TLT" else 2]
        made[symbol] = _paths(symbol, days, scale * volatility, mixed)
    made["VIX"] = _index(days, level, noise[:, 1], noise[:, 2])
    made["VIX3M"] = _index(days, 0.55 * level + 0.45 * 19.5, noise[:, 3], noise[:, 2])
    return made


def _variance(shocks: np.ndarray) -> np.ndarray:
    """Return the variance (n) that each session begins with, of the standardised shocks (n) before it."""
    found = np.empty(len(shocks))
    now = OMEGA / (1 - ALPHA - GAMMA / 2 - BETA)
    for position, shock in enumerate(shocks):
        found[position] = now
        now = OMEGA + (ALPHA + GAMMA * (shock < 0)) * now * shock**2 + BETA * now
    return found


def _paths(symbol: str, days: pd.DatetimeIndex, volatility: np.ndarray, steps: np.ndarray) -> pd.DataFrame:
    """Return prices as they are traded: a random walk of steps (n, STEPS) within each session, splits and dividends."""
    walk = np.cumsum(steps, axis=1) / np.sqrt(STEPS) * volatility[:, None]
    ends = np.cumsum(walk[:, -1] + MEAN)
    begin = FIRST_CLOSE[symbol] * np.exp(np.concatenate([[0.0], ends[:-1]]))
    split = pd.Series(1.0, days)
    if symbol in SPLITS and pd.Timestamp(SPLITS[symbol][0]) in days:
        split[SPLITS[symbol][0]] = SPLITS[symbol][1]
    quarter = days.to_period("Q")
    pays = np.concatenate([[False], quarter[1:] != quarter[:-1]])
    close = FIRST_CLOSE[symbol] * np.exp(ends)
    owned = split.cumprod().to_numpy()
    # What is paid leaves the price, from its day on.
    paid = np.where(pays, QUARTERLY_YIELD[symbol], 0.0)
    left = np.cumprod(1 - paid)
    dividend = close * left / (1 - paid) * paid / owned
    prices = {
        "open": begin, "high": begin * np.exp(np.maximum(walk.max(axis=1), 0)),
        "low": begin * np.exp(np.minimum(walk.min(axis=1), 0)), "close": begin * np.exp(walk[:, -1]),
    }  # fmt: skip
    frame = pd.DataFrame({name: values * left / owned for name, values in prices.items()})
    return frame.assign(date=days, volume=1e8, dividend=dividend, split=split.to_numpy())[list(COLUMNS)]


def _index(days: pd.DatetimeIndex, level: np.ndarray, spread: np.ndarray, gap: np.ndarray) -> pd.DataFrame:
    close = np.clip(level, 9.0, 90.0)
    opening = np.clip(close * np.exp(0.03 * gap), 8.5, 95.0)
    wider = np.exp(np.abs(spread) * 0.03)
    frame = pd.DataFrame({"date": days, "open": opening, "high": np.maximum(close, opening) * wider,
                          "low": np.maximum(np.minimum(close, opening) / wider, 6.0), "close": close})  # fmt: skip
    return frame.assign(volume=float("nan"), dividend=0.0, split=1.0)[list(COLUMNS)]
