"""Where forecasts are good and where they are not: the sessions in four groups by how nervous the market was."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from chronos_volatility.gate import measures
from chronos_volatility.models import intervals
from chronos_volatility.models.specifications import BENCHMARK
from chronos_volatility.models.words import SESSIONS_A_YEAR
from chronos_volatility.report.facts import Facts

BORDERS = (15.0, 20.0, 30.0)  # of the VIX, in percent a year
LOW, HIGH = intervals.LEVELS.index(0.1), intervals.LEVELS.index(0.9)


def regimes(facts: Facts) -> tuple[str, list[dict[str, Any]]]:
    """Return what the groups go by, and a row a group: sessions, QLIKE of both, RMSE a year, ratio, coverage.

    They go by the VIX at the forecast's session; without a VIX by the target's own volatility of the last 20 sessions.
    `ratio` is the mean variance that came over the mean forecast: above 1, forecasts were too low. `covered` is the share of
    outcomes in the 80 % interval.
    """
    what, measure = _measure(facts)
    y, forecast = facts.walk["y"].to_numpy(), facts.walk[facts.shown].to_numpy()
    base = facts.walk[BENCHMARK.name].to_numpy()
    rv = np.sqrt(y)
    inside = (rv >= facts.bounds[:, LOW]) & (rv <= facts.bounds[:, HIGH])
    known = np.isfinite(facts.bounds[:, LOW])
    edges = (-np.inf, *BORDERS, np.inf)
    rows = []
    for low, high in pairwise(edges):
        taken = (measure >= low) & (measure < high)
        if not taken.any():
            continue
        qlike = measures.qlike(y[taken], forecast[taken])
        benchmark = measures.qlike(y[taken], base[taken])
        told = taken & known
        rows.append(
            {
                "title": _title(low, high),
                "sessions": int(taken.sum()),
                "qlike": qlike,
                "benchmark": benchmark,
                "gain": measures.gain(qlike, benchmark),
                "rmse": measures.rmse(y[taken], forecast[taken]) * np.sqrt(SESSIONS_A_YEAR / intervals.HORIZON),
                "ratio": float(y[taken].mean() / forecast[taken].mean()),
                "covered": float(inside[told].mean()) if told.any() else None,
            }
        )
    return what, rows


def _measure(facts: Facts) -> tuple[str, np.ndarray]:
    dates = facts.walk["date"]
    vix = facts.market[facts.market["symbol"] == "VIX"].set_index("date")["close"]
    if len(vix):
        return "the VIX at the close before", vix.reindex(dates).ffill().to_numpy()
    past = facts.features.set_index("date")["ln_rv_20"].reindex(dates).to_numpy()
    return "the volatility of the 20 sessions before, in percent a year", 100 * np.sqrt(SESSIONS_A_YEAR * np.exp(past))


def _title(low: float, high: float) -> str:
    if low == -np.inf:
        return f"below {high:g}"
    return f"{low:g} and above" if high == np.inf else f"{low:g} to {high:g}"
