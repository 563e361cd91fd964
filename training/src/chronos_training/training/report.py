"""report.html: one self-contained page that a colleague understands without further explanation."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from chronos_training.config.family_rules import in_use
from chronos_training.core.clock import duration
from chronos_training.data.grid import DAY, step_of
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE
from chronos_training.evaluation.names import TITLES, names_of
from chronos_training.evaluation.store import last_windows
from chronos_training.training import charts
from chronos_training.training.losscurve import LossCurve

TEMPLATES = resources.files("chronos_training.training").joinpath("templates")
MOST_ROWS = 2000  # of the table of all series; per_series.csv has them all

MOST_WEAK = 5  # series and dates that are listed as the weakest
MOST_PERIODS = 8  # window dates that are shown


def write_report(
    path: Path, about: dict[str, Any], scores: dict[str, Any], forecasts: Path, panel: Panel, curve: LossCurve | None
) -> None:
    """Write the report of a run from its metadata, scores, loss curve and the file with its held-out forecasts.

    AutoGluon has no loss curve; the report shows its leaderboard, from the metadata, instead.
    """
    template = TEMPLATES.joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": number,
        "percent": percent,
        "money": money,
        "duration": duration,
        "lower": lower,
        "share": share,
    }
    rows = series_rows(scores)
    aggregate = scores["aggregate"]
    horizons, recalibration = scores["by_horizon"], scores.get("recalibration", {"applied": False, "reason": None})
    values = dict(flat(in_use({key: part for key, part in about["configuration"].items() if key != "automatic"})))
    page = environment.from_string(template).render(
        style=charts.style(),
        about=about,
        scores=scores,
        recalibration=recalibration,
        together=scores["combination"],
        names={name: TITLES[name] for name in names_of(scores)},
        aggregate=aggregate,
        rows=rows[:MOST_ROWS],
        left_out=max(0, len(rows) - MOST_ROWS),
        worst=[row for row in reversed(rows) if row["relative"] is not None][:MOST_WEAK],
        worst_dates=[one for one in scores["worst_dates"] if one["usual"] > 0][:MOST_WEAK],
        periods=weakest_periods(scores["by_period"]),
        periods_left_out=max(0, len(scores["by_period"]) - MOST_PERIODS),
        panels=forecast_panels(rows, scores, forecasts, panel, about["configuration"]["evaluation"]["report_series"]),
        loss=charts.loss_chart(curve.steps, curve.losses, curve.validation) if curve else None,
        nothing_left=curve is not None and 0 < curve.resumed_from == curve.last_step,
        rate=charts.line_chart("Learning rate by step", curve.steps, [("median", curve.learning_rates)])
        if curve
        else None,
        horizon=charts.line_chart(
            "WQL by step of the horizon",
            list(range(1, scores["prediction_length"] + 1)),
            [("naive", horizons[SEASONAL_NAIVE]["wql"]), ("median", horizons[MODEL]["wql"])],
        ),
        calibration=charts.calibration_chart(
            scores["quantile_levels"],
            [
                ("naive", aggregate[SEASONAL_NAIVE]["coverage"]),
                *([("before", recalibration["coverage_before"])] if recalibration.get("applied") else []),
                ("median", aggregate[MODEL]["coverage"]),
            ],
        ),
        settings=list(values.items()),
        values=values,
        notes=[*panel.manifest.get("notes", []), *about["dataset"]["findings"]],
    )
    path.write_text(page, encoding="utf-8")


def series_rows(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the per-series table, most improved first; `relative` is the model's WQL over seasonal naive's."""
    rows = []
    for place, row in enumerate(scores["per_series"]):
        own, base = row[MODEL], row[SEASONAL_NAIVE]
        relative = own["wql"] / base["wql"] if own["wql"] is not None and base["wql"] else None
        rows.append({"item_id": row["item_id"], "row": place, "own": own, "base": base, "relative": relative})
    return sorted(rows, key=lambda row: (row["relative"] is None, row["relative"] or 0.0))


def weakest_periods(periods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the windows by date in which the model is weakest against seasonal naive, in time order."""
    weakest = sorted(periods, key=lambda one: -(one["relative_wql"] or 0.0))[:MOST_PERIODS]
    return sorted(weakest, key=lambda one: str(one["first_date"]))


def forecast_panels(
    rows: list[dict[str, Any]], scores: dict[str, Any], forecasts: Path, panel: Panel, count: int
) -> list[dict[str, Any]]:
    """Return charts of `count` series, spread evenly from the most to the least improved, not picked by hand."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    found = last_windows(forecasts, [rows[rank]["item_id"] for rank in chosen], scores["quantile_levels"])
    drawn = []
    for rank in chosen:
        row = rows[rank]
        values, horizon = panel.row_values(row["row"]), scores["prediction_length"]
        origin = len(values) - horizon
        begin = max(origin - horizon, 0)
        stamps = panel.timestamps(panel.row(row["row"])[0], begin, origin + horizon)
        label, last = date_format(panel.freq), found[row["item_id"]]
        drawn.append(
            {
                "item_id": row["item_id"],
                "rank": place_of(int(rank), len(rows)),
                "relative": row["relative"],
                "chart": charts.forecast_chart(
                    values[begin:origin],
                    last["actual"],
                    last["quantiles"],
                    last["naive"],
                    [stamp.strftime(label) for stamp in stamps],
                    count_like=bool(np.nanmin(values) >= 0),
                    title=f"Forecast of {row['item_id']} and the actual values",
                ),
            }
        )
    return drawn


def date_format(freq: str) -> str:
    """Return the date format of an axis for this frequency."""
    step = step_of(freq)
    if step is not None and step % DAY:
        return "%d %b %H:%M"
    return "%d %b %Y" if step or freq == "B" or freq.startswith("W") else "%b %Y"


def place_of(rank: int, of: int) -> str:
    """Return the rank of a series among all, in words."""
    if rank == 0:
        return "most improved"
    if rank == of - 1:
        return "least improved"
    return f"{rank + 1} of {of}"


def flat(content: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return (dotted key, value as text) for every setting."""
    out: list[tuple[str, str]] = []
    for key, value in content.items():
        if isinstance(value, dict):
            out += flat(value, f"{prefix}{key}.")
        else:
            text = (
                ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
                if isinstance(value, list)
                else ""
                if value is None
                else str(value)
            )
            out.append((prefix + key, text))
    return out


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with fixed digits, or a dash for a missing one."""
    return "–" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a signed percentage of a change (−28.3 %)."""
    return "–" if value is None else f"{value * 100:+.{digits}f} %".replace("-", "−")


def lower(change: float) -> str:
    """Return a change of the loss in words: 28.9 % lower."""
    if abs(change) < 0.0005:
        return "no lower"
    return f"{abs(change) * 100:,.1f} % {'lower' if change < 0 else 'higher'}"


def share(value: float | None) -> str:
    """Return a share as a percentage (61.4 %), or a dash for a missing one."""
    return "–" if value is None else f"{value * 100:.1f} %"


def money(value: float | None) -> str:
    """Return US dollars; amounts below one dollar have four decimals, as in price lists."""
    if value is None:
        return "–"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"
