"""Drivers as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chronos_volatility.models.serve import BASELINE, LIMIT, Driver

TOP = 3
SESSIONS_A_YEAR = 252
HORIZON = 5
# Read without the package features, which needs pandas; a test compares both.
_PERCENT = {"return_1", "return_5", "return_20", "drawdown_60", "tlt_return_5", "hyg_return_5"}


def top_drivers(drivers: Sequence[Driver], count: int = TOP) -> list[str]:
    """Return the names of the `count` features that move the forecast most, the largest first."""
    moving = [driver for driver in drivers if driver.feature not in {BASELINE, LIMIT} and driver.contribution]
    return [driver.feature for driver in sorted(moving, key=lambda driver: -abs(driver.contribution))[:count]]


def sentence(driver: Driver, titles: dict[str, str]) -> str:
    """Return what a driver does, such as: the VIX (28.1) raises the forecast by 12 %. `titles` are feature_set.TITLES."""
    if driver.feature == BASELINE:
        return f"with every feature at its average the forecast is {_annual(driver.value):.1f} % a year"
    change = 100 * (np.exp(driver.contribution) - 1)
    verb = "raises" if change > 0 else "lowers"
    if driver.feature == LIMIT:
        return f"it is held at {_annual(driver.value):.1f} % a year, as far as was ever seen: that {verb} it by {abs(change):.0f} %"
    title = titles.get(driver.feature, driver.feature)
    return f"{title} ({value_in_words(driver.feature, driver.value)}) {verb} the forecast by {abs(change):.0f} %"


def value_in_words(feature: str, value: float) -> str:
    """Return a feature's value in a unit that people use: percent, or percent a year for variances."""
    if feature == "ln_vix_variance":
        return f"{100 * np.sqrt(SESSIONS_A_YEAR * np.exp(value)):.1f}"
    if feature.startswith(("ln_", "tlt_ln_", "hyg_ln_")):
        return f"{100 * np.sqrt(SESSIONS_A_YEAR * np.exp(value)):.1f} % a year"
    if feature in _PERCENT:
        return f"{100 * (np.exp(value) - 1):+.1f} %"
    if feature.startswith("vix_") or feature == "variance_premium":
        return f"{100 * (np.exp(value) - 1):+.0f} %"
    if feature.startswith("leverage_"):
        return "no loss" if value == 0 else f"{-value:.1f} of its range"
    return f"{value:g}"


def annualized(rv_5d: float) -> float:
    """Return the volatility of five sessions as one of a year: times sqrt(252 / 5)."""
    return float(rv_5d * np.sqrt(SESSIONS_A_YEAR / HORIZON))


def _annual(rv_5d: float) -> float:
    return 100 * annualized(rv_5d)
