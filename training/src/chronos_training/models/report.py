"""report.html: one self-contained page that a colleague understands without being told anything."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from chronos_training.core.clock import duration
from chronos_training.data.load import Panel
from chronos_training.models import charts
from chronos_training.models.forecasts import MODEL, Forecasts
from chronos_training.models.losscurve import LossCurve

NAMES = {
    MODEL: "This model",
    "seasonal_naive": "Seasonal naive, quantiles of its own past errors",
    "seasonal_naive_gaussian": "Seasonal naive, normal quantiles",
    "seasonal_naive_point": "Seasonal naive, one value",
}


def write_report(
    path: Path, about: dict[str, Any], scores: dict[str, Any], forecasts: Forecasts, panel: Panel, curve: LossCurve
) -> None:
    """Write the report of one run from its metadata, scores, held-out forecasts and loss curve."""
    template = (
        resources.files("chronos_training.models").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "percent": percent, "money": money, "duration": duration}
    rows = series_rows(scores)
    aggregate = scores["aggregate"]
    page = environment.from_string(template).render(
        about=about,
        scores=scores,
        names=NAMES,
        aggregate=aggregate,
        rows=rows,
        panels=forecast_panels(rows, forecasts, panel, about["configuration"]["evaluation"]["report_series"]),
        loss=charts.loss_chart(curve.steps, curve.losses),
        calibration=charts.calibration_chart(
            forecasts.levels,
            [("naive", aggregate["seasonal_naive"]["coverage"]), ("median", aggregate[MODEL]["coverage"])],
        ),
        settings=flat(about["configuration"]),
        notes=list(panel.manifest.get("notes", [])),
    )
    path.write_text(page, encoding="utf-8")


def series_rows(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the per-series table, most improved first; `relative` is the model's WQL over seasonal naive's."""
    rows = []
    for row in scores["per_series"]:
        own, base = row[MODEL], row["seasonal_naive"]
        relative = own["wql"] / base["wql"] if own["wql"] is not None and base["wql"] else None
        rows.append({"item_id": row["item_id"], "own": own, "base": base, "relative": relative})
    return sorted(rows, key=lambda row: (row["relative"] is None, row["relative"] or 0.0))


def forecast_panels(rows: list[dict[str, Any]], forecasts: Forecasts, panel: Panel, count: int) -> list[dict[str, Any]]:
    """Return `count` drawn series, spread evenly from the most to the least improved: no picking of nice ones."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    drawn = []
    for rank in chosen:
        row = rows[rank]
        i = panel.item_ids.index(row["item_id"])
        horizon, origin = forecasts.actual.shape[2], forecasts.origins[i][-1]
        begin = max(origin - horizon, 0)
        stamps = panel.timestamps(i, begin, origin + horizon)
        middle = len(forecasts.levels) // 2
        label = date_format(panel.freq)
        drawn.append(
            {
                "item_id": row["item_id"],
                "rank": place(int(rank), len(rows)),
                "relative": row["relative"],
                "chart": charts.forecast_chart(
                    panel.values[i][begin:origin],
                    forecasts.actual[i, -1],
                    forecasts.quantiles[MODEL][i, -1],
                    forecasts.quantiles["seasonal_naive"][i, -1, middle],
                    [stamp.strftime(label) for stamp in stamps],
                    count_like=bool(np.nanmin(panel.values[i]) >= 0),
                    title=f"Forecast of {row['item_id']} against what happened",
                ),
            }
        )
    return drawn


def date_format(freq: str) -> str:
    """Return how a timestamp of this frequency is written on an axis."""
    if freq in {"h", "min", "15min", "30min"}:
        return "%d %b %H:%M"
    return "%d %b %Y" if freq in {"D", "B"} or freq.startswith("W") else "%b %Y"


def place(rank: int, of: int) -> str:
    """Return in words where a series stands among all."""
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
                ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else "" if value is None else str(value)
            )
            out.append((prefix + key, text))
    return out


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with fixed digits, or a dash for a missing one."""
    return "–" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a signed percentage of a change (−28.3 %)."""
    return "–" if value is None else f"{value * 100:+.{digits}f} %".replace("-", "−")


def money(value: float | None) -> str:
    """Return US dollars; sums below one dollar keep four digits after the point, as price lists do."""
    if value is None:
        return "–"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"
