"""The report's charts, on the canvas of the training report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from chronos_training.training.charts import Canvas, calibration_chart
from chronos_volatility.models import intervals
from chronos_volatility.models.intervals import HORIZON, LEVELS
from chronos_volatility.models.serve import BASELINE, LIMIT
from chronos_volatility.models.words import SESSIONS_A_YEAR
from chronos_volatility.report.facts import Facts
from chronos_volatility.report.regimes import HIGH, LOW

RECENT = 250
# What moves a forecast, in groups that a person tells apart: title, style class, and how the features' names begin.
GROUPS = (
    ("ranges and past volatility", "g1", ("ln_parkinson", "ln_rv")),
    ("VIX", "g2", ("ln_vix", "vix_", "variance_premium")),
    ("losses and falls", "g3", ("leverage", "return", "drawdown")),
    ("all else", "g4", ("",)),
)


def recent(facts: Facts) -> Markup:
    """Return the last year of forecasts with their 80 % interval, and the realized volatility."""
    taken = slice(max(0, len(facts.walk) - RECENT), None)
    dates = facts.walk["date"][taken]
    columns = [
        _annual(np.sqrt(facts.walk[facts.shown].to_numpy()))[taken],
        _annual(np.sqrt(facts.walk["y"].to_numpy()))[taken],
    ]
    bounds = [_annual(facts.bounds[:, place])[taken] for place in (LOW, HIGH)]
    return _over_time(dates, columns[0], columns[1], "Forecasts and realized volatility, the last 250 sessions", bounds)


def whole(facts: Facts) -> Markup:
    """Return forecasts and realized volatility as monthly means, over all sessions that were forecast."""
    table = pd.DataFrame(
        {"date": facts.walk["date"], "forecast": _annual(np.sqrt(facts.walk[facts.shown].to_numpy())),
         "realized": _annual(np.sqrt(facts.walk["y"].to_numpy()))}
    )  # fmt: skip
    monthly = table.set_index("date").resample("MS").mean().dropna()
    dates = pd.Series(monthly.index)
    return _over_time(
        dates,
        monthly["forecast"].to_numpy(),
        monthly["realized"].to_numpy(),
        "Forecasts and realized volatility, by month",
    )


def calibration(facts: Facts) -> Markup:
    """Return how often outcomes were below each quantile."""
    shares = intervals.calibration(facts.walk["y"].to_numpy(), facts.bounds)
    return calibration_chart(list(LEVELS), [("median", [shares[f"{level:g}"] for level in LEVELS])])


def drivers(facts: Facts) -> Markup:
    """Return by how many percent each group of features raised or lowered the forecast, over the last 250 sessions."""
    if facts.model is None:
        return Markup('<p class="muted">No model serves.</p>')
    forecaster = facts.model.forecaster
    rows = facts.features.dropna(subset=list(forecaster.names)).tail(RECENT)
    sums = {css: np.zeros(len(rows)) for _, css, _ in GROUPS}
    for place, values in enumerate(rows[list(forecaster.names)].to_numpy()):
        for one in forecaster.drivers(values):
            if one.feature not in {BASELINE, LIMIT}:
                sums[_group(one.feature)][place] += one.contribution
    lines = {css: 100 * np.expm1(values) for css, values in sums.items() if np.any(values)}
    if not lines:
        return Markup('<p class="muted">No session has all of its features.</p>')
    low = min(float(values.min()) for values in lines.values())
    high = max(float(values.max()) for values in lines.values())
    pad = 0.06 * (high - low or 1.0)
    canvas = Canvas((0, max(1, len(rows) - 1)), (low - pad, high + pad))
    canvas.grid_y()
    canvas.line([0, len(rows) - 1], [0, 0], "diagonal")
    for css, values in lines.items():
        canvas.line(range(len(rows)), values.tolist(), css)
    _dates(canvas, rows["date"])
    return canvas.svg("What moved the forecast, in percent")


def _group(feature: str) -> str:
    return next(css for _, css, begins in GROUPS if feature.startswith(begins))


def _annual(rv_5d: np.ndarray) -> np.ndarray:
    return np.asarray(100 * rv_5d * math.sqrt(SESSIONS_A_YEAR / HORIZON))


def _over_time(
    dates: pd.Series, forecast: np.ndarray, realized: np.ndarray, title: str, bounds: Sequence[np.ndarray] = ()
) -> Markup:
    shown = np.concatenate([forecast, realized, *bounds])
    high = float(np.nanmax(shown))
    canvas = Canvas((0, max(1, len(forecast) - 1)), (0.0, 1.05 * high))
    canvas.grid_y()
    xs = list(range(len(forecast)))
    if bounds:
        known = np.isfinite(bounds[0])
        canvas.band([x for x in xs if known[x]], bounds[0][known].tolist(), bounds[1][known].tolist(), "band")
    canvas.line(xs, realized.tolist(), "actual")
    canvas.line(xs, forecast.tolist(), "median")
    _dates(canvas, dates)
    return canvas.svg(title)


def _dates(canvas: Canvas, dates: pd.Series) -> None:
    """Write three or four dates below the drawing: years where there are many, else months."""
    days = list(dates)
    years = days[-1].year - days[0].year > 3
    for place in np.linspace(0, len(days) - 1, 5)[1:-1].round().astype(int):
        canvas.tick_x(int(place), f"{days[place]:%Y}" if years else f"{days[place]:%b %Y}")
