"""AutoETS, AutoTheta and Croston of statsforecast, in processes of their own.

Each series is fitted at every origin, to its last ten seasons. What a model cannot be fitted to (nearly constant, too short)
is forecast by seasonal naive.
"""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from chronos_training.core.errors import TrainingError
from chronos_training.models.evaluation.baselines import seasonal_naive
from chronos_training.models.several import die_with_parent

Array = np.ndarray
MODELS = {"auto_ets": "AutoETS", "auto_theta": "AutoTheta", "croston": "CrostonSBA"}
# Observations before an origin that a model is fitted to, and at least so many seasons.
FITTED, FITTED_SEASONS = 200, 10
# AutoETS has no seasonal component beyond, and AutoTheta takes seconds: a longer season is taken out first, by MSTL.
LONGEST_SEASON = 24
TREND = {"auto_ets": {"model": "ZZN"}}  # what is left has no season
TOGETHER = 8  # series in one order to a process
# Croston's method has no quantiles of its own: conformal ones, from as many earlier windows as there are, within this.
CONFORMAL_WINDOWS = (2, 20)


class Pool:
    """Processes that fit and forecast. They are started anew, not forked: torch's threads do not survive a fork."""

    def __init__(self) -> None:
        """One process for each core."""
        self._context = multiprocessing.get_context("spawn")
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def forecast(
        self,
        name: str,
        histories: Sequence[Sequence[Array]],
        horizon: int,
        levels: list[float],
        season: int,
        check: Callable[[], None],
    ) -> tuple[Array, int]:
        """Return quantiles (rows, windows, levels, horizon), and how many rows seasonal naive had to stand in for.

        `histories[row][window]` is everything before an origin, windows in time order. `check` may raise.
        """
        if self._pool is None:
            self._pool = ProcessPoolExecutor(cores(), mp_context=self._context, initializer=die_with_parent)
        orders = [histories[begin : begin + TOGETHER] for begin in range(0, len(histories), TOGETHER)]
        parts = []
        try:
            jobs = [
                self._pool.submit(
                    _forecast_some,
                    name,
                    [[shortened(one, season) for one in row] for row in order],
                    horizon,
                    levels,
                    season,
                )
                for order in orders
            ]
            for job in jobs:
                parts.append(job.result())
                check()
        except BrokenProcessPool:
            raise TrainingError(
                f"One of the processes that fit {name} was killed (out of memory?).",
                hint="Leave it out of evaluation.baselines, or take an instance with more memory.",
            ) from None
        return np.concatenate([part for part, _ in parts]), sum(count for _, count in parts)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fitted_length(length: int, season: int) -> int:
    """Return how many of the observations before an origin a model is fitted to."""
    return min(length, max(FITTED, FITTED_SEASONS * season))


def shortened(history: Array, season: int) -> Array:
    """Return what a model is fitted to."""
    return history[len(history) - fitted_length(len(history), season) :]


def seconds(name: str, length: int, season: int) -> float:
    """Return about how many seconds of one core a fit takes; made from measurements of 200 to 1,700 observations.

    An estimate and no clock: what is sampled by it is the same on every machine.
    """
    seasonal = 1 < season <= LONGEST_SEASON
    if name == "auto_ets":
        return 0.0009 * length if seasonal else 0.0001 * length + 0.02
    if name == "auto_theta":
        return 0.0002 * length if seasonal else 0.03 + 1.6e-6 * length**2
    return 0.01


def _forecast_some(
    name: str, rows: Sequence[Sequence[Array]], horizon: int, levels: list[float], season: int
) -> tuple[Array, int]:
    out, replaced = [], 0
    for row in rows:
        found = _forecast_row(name, row, horizon, levels, season)
        if found is None:
            found = np.stack([seasonal_naive(history, horizon, levels, season) for history in row])
            replaced += 1
        out.append(found)
    return np.stack(out), replaced


def _forecast_row(name: str, row: Sequence[Array], horizon: int, levels: list[float], season: int) -> Array | None:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for history in row:
            whole = interpolated(history)
            if len(whole) < 10 or np.ptp(whole) == 0:
                return None
            try:
                answer = _answer(name, whole, horizon, levels, season)
            except Exception:  # a dozen kinds, from the C++ of a model that does not converge
                return None
            found.append(from_intervals(answer, levels))
    out = np.stack(found)
    return out if np.isfinite(out).all() else None


def _answer(name: str, history: Array, horizon: int, levels: list[float], season: int) -> Any:
    """Return statsforecast's forecast of one history: `mean`, and `lo-` and `hi-` of each interval."""
    from statsforecast import models
    from statsforecast.utils import ConformalIntervals

    made, widths = getattr(models, MODELS[name]), intervals(levels)
    if name == "croston":
        least, most = CONFORMAL_WINDOWS
        windows = min(most, (len(history) - 10) // horizon)
        if windows < least:
            raise ValueError("too short for conformal intervals")
        model = made(prediction_intervals=ConformalIntervals(n_windows=windows, h=horizon))
        # What cannot be negative has no negative quantiles.
        return {key: np.maximum(value, 0.0) for key, value in model.forecast(history, horizon, level=widths).items()}
    seasonal = len(history) > 2 * season
    if seasonal and season > LONGEST_SEASON:
        model = models.MSTL(season, trend_forecaster=made(season_length=1, **TREND.get(name, {})))
    else:
        model = made(season_length=season if seasonal else 1)
    return model.forecast(history, horizon, level=widths)


def interpolated(history: Array) -> Array:
    """Return the history without missing values: between neighbours, and the nearest one at the ends."""
    there = ~np.isnan(history)
    if there.all():
        return np.ascontiguousarray(history, dtype=float)
    places = np.arange(len(history))
    return np.asarray(np.interp(places, places[there], history[there]) if there.any() else np.zeros(len(history)))


def intervals(levels: list[float]) -> list[float]:
    """Return the widths in percent of the central intervals whose ends are the quantiles."""
    return sorted({round(abs(2 * level - 1) * 100, 6) for level in levels if level != 0.5} or {80.0})


def from_intervals(answer: dict[str, Any], levels: list[float]) -> Array:
    """Return quantiles (levels, horizon) of statsforecast's answer; the mean stands for the median."""
    widths = {_width(key): key.removeprefix("lo-") for key in answer if key.startswith("lo-")}
    rows = []
    for level in levels:
        if level == 0.5:
            rows.append(answer["mean"])
            continue
        wanted = abs(2 * level - 1) * 100
        width = sorted(widths, key=lambda one: abs(one - wanted))[0]
        rows.append(answer[("lo-" if level < 0.5 else "hi-") + widths[width]])
    return np.sort(np.array(rows, dtype=float), axis=0)


def _width(key: str) -> float:
    return float(key.removeprefix("lo-"))
