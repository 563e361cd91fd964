"""The return of a strategy that follows the forecasts (design §9, C19): out-of-sample Sharpe ratio after costs.

At the end of each history the position is the sign of the median forecast return over the horizon; it is held over
the horizon. The rows are an equally weighted portfolio. The ratio is sqrt(periods a year) x mean / standard deviation of the
portfolio's returns, without a risk-free rate (Sharpe 1994).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chronos_training.data.grid import DAY, step_of

Array = np.ndarray
FEWEST = 8  # returns for a meaningful standard deviation
# Observations per year, for frequencies whose steps are not all equal.
PER_YEAR = {"B": 252, "W": 52, "MS": 12, "ME": 12, "QS": 4, "QE": 4, "YS": 1, "YE": 1}
NO_PRICE = "The target is not a price or a return, so there is no strategy to measure."


class Strategy:
    """Collects the held-out windows and computes what following the forecasts would have earned."""

    def __init__(self, kind: str, freq: str, stride: int, cost_basis_points: float) -> None:
        """`kind` is forecast.target_kind, `stride` the observations between two origins."""
        self._kind, self._cost = kind, cost_basis_points / 1e4
        step = step_of(freq)
        self._per_year = (365 * DAY / step if step else PER_YEAR[freq.split("-")[0]]) / stride
        self._forecast: list[Array] = []
        self._real: list[Array] = []

    def add(self, last: Array, actual: Array, median: Array, stride: int) -> None:
        """Add rows: `last` (rows, windows) is the last observation before an origin, the others (rows, windows, horizon)."""
        held = min(stride, actual.shape[2])  # until the next decision
        if self._kind == "price":
            with np.errstate(divide="ignore", invalid="ignore"):
                self._forecast.append(median[:, :, held - 1] / last - 1.0)
                self._real.append(actual[:, :, held - 1] / last - 1.0)
        elif self._kind == "return":
            self._forecast.append(median[:, :, :held].sum(axis=2))
            self._real.append(actual[:, :, :held].sum(axis=2))

    def result(self) -> dict[str, Any]:
        """Return sharpe_ratio with n, the cost and the ratio of buy-and-hold; null with a reason if it cannot be computed."""
        out: dict[str, Any] = {
            "sharpe_ratio": None,
            "n": 0,
            "cost_basis_points": self._cost * 1e4,
            "buy_and_hold": None,
        }
        if self._kind == "level":
            return out | {"reason": NO_PRICE}
        forecast, real = np.concatenate(self._forecast), np.concatenate(self._real)
        usable = np.isfinite(forecast) & np.isfinite(real)
        position = np.where(usable, np.sign(forecast), 0.0)
        before = np.concatenate([np.zeros((len(position), 1)), position[:, :-1]], axis=1)
        gain = np.where(usable, position * np.where(usable, real, 0.0) - self._cost * np.abs(position - before), np.nan)
        portfolio = np.nanmean(gain, axis=0) if usable.any() else np.empty(0)
        portfolio = portfolio[np.isfinite(portfolio)]
        out["n"] = len(portfolio)
        if len(portfolio) < FEWEST:
            return out | {
                "reason": f"{len(portfolio)} periods are too few (at least {FEWEST} are needed): raise evaluation.windows."
            }
        held = np.nanmean(np.where(usable, real, np.nan), axis=0)
        held[0] -= self._cost  # buy-and-hold buys once
        own = self._ratio(portfolio)
        if own is None:
            return out | {"reason": "The strategy's returns are all the same."}
        return out | {"sharpe_ratio": own, "buy_and_hold": self._ratio(held[np.isfinite(held)]), "reason": None}

    def _ratio(self, returns: Array) -> float | None:
        deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
        return float(np.sqrt(self._per_year) * returns.mean() / deviation) if deviation > 0 else None
