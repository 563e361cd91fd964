"""AutoETS, AutoTheta and Croston from statsforecast, in separate processes.

Models are fitted to each series at every origin, to its last ten seasons. A series that a model cannot be fitted to (nearly
constant, too short) is forecast by seasonal naive.
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

from chronos_training.core.child_process import die_with_parent
from chronos_training.core.errors import TrainingError
from chronos_training.evaluation.baselines import seasonal_naive

Array = np.ndarray
MODELS = {"auto_ets": "AutoETS", "auto_theta": "AutoTheta", "croston": "CrostonSBA"}
# A model is fitted to so many observations before an origin, and to at least so many seasons.
FITTED, FITTED_SEASONS = 200, 10
# AutoETS has no longer seasonal component, and AutoTheta would take seconds: MSTL removes a longer season first.
LONGEST_SEASON = 24
TREND = {"auto_ets": {"model": "ZZN"}}  # the remainder has no season
TOGETHER = 8  # series per task of a process
# Croston's method has no quantiles of its own. They are conformal, from all earlier windows, within these bounds.
CONFORMAL_WINDOWS = (2, 20)


class Pool:
    """Processes that fit and forecast. They are spawned, not forked: torch's threads do not survive a fork."""

    def __init__(self) -> None:
        """Prepare one process per core."""
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
        """Return quantiles (rows, windows, levels, horizon), and how many rows seasonal naive had to forecast instead.

        `histories[row][window]` is everything before an origin, in time order of the windows. `check` may raise.
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
                hint="Leave it out of evaluation.baselines, or use an instance with more memory.",
            ) from None
        return np.concatenate([part for part, _ in parts]), sum(count for _, count in parts)


def cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fitted_length(length: int, season: int) -> int:
    """Return the number of observations before an origin that a model is fitted to."""
    return min(length, max(FITTED, FITTED_SEASONS * season))


def shortened(history: Array, season: int) -> Array:
    """Return the part of a history that a model is fitted to."""
    return history[len(history) - fitted_length(len(history), season) :]


def seconds(name: str, length: int, season: int) -> float:
    """Return roughly how many seconds a fit takes on one core, from measurements with 200 to 1,700 observations.

    An estimate, not a clock, so that the sample is the same on every machine.
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
            except Exception:  # a dozen kinds, from the C++ code of models that do not converge
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
        # Values that cannot be negative get no negative quantiles.
        return {key: np.maximum(value, 0.0) for key, value in model.forecast(history, horizon, level=widths).items()}
    seasonal = len(history) > 2 * season
    if seasonal and season > LONGEST_SEASON:
        model = models.MSTL(season, trend_forecaster=made(season_length=1, **TREND.get(name, {})))
    else:
        model = made(season_length=season if seasonal else 1)
    return model.forecast(history, horizon, level=widths)


def interpolated(history: Array) -> Array:
    """Return the history with missing values interpolated; at the ends, the nearest value is repeated."""
    there = ~np.isnan(history)
    if there.all():
        return np.ascontiguousarray(history, dtype=float)
    places = np.arange(len(history))
    return np.asarray(np.interp(places, places[there], history[there]) if there.any() else np.zeros(len(history)))


def intervals(levels: list[float]) -> list[float]:
    """Return the widths, in percent, of the central intervals that end at the quantiles."""
    return sorted({round(abs(2 * level - 1) * 100, 6) for level in levels if level != 0.5} or {80.0})


def from_intervals(answer: dict[str, Any], levels: list[float]) -> Array:
    """Return the quantiles (levels, horizon) of statsforecast's answer; the mean serves as the median."""
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
