"""The held-out comparison: every forecaster scored by series and together, and the verdict."""

from __future__ import annotations

from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.load import Panel
from chronos_training.models import metrics
from chronos_training.models.forecasts import MODEL, Array, Forecasts


def score(forecasts: Forecasts, panel: Panel, config: TrainingConfig) -> dict[str, Any]:
    """Return {"aggregate": {forecaster: …}, "per_series": [...], …}: the content of evaluation/metrics.json.

    Aggregates: WQL is the ratio of sums over all series (large series weigh more, as in the papers); MASE and MAE are means
    over series; `relative_wql` and `relative_mase` are geometric means over series of the ratio to seasonal naive.
    """
    season = config.season_length(panel.freq)
    scales = [
        [metrics.seasonal_scale(series[:origin], season) for origin in own]
        for series, own in zip(panel.values, forecasts.origins, strict=True)
    ]
    rows: dict[str, list[dict[str, float | None]]] = {}
    aggregate: dict[str, dict[str, Any]] = {}
    for name, quantiles in forecasts.quantiles.items():
        rows[name] = [
            _series_scores(forecasts.actual[i], quantiles[i], forecasts.levels, scales[i])
            for i in range(len(panel.values))
        ]
        loss = sum(
            metrics.pinball_sum(forecasts.actual[i], quantiles[i], forecasts.levels) for i in range(len(panel.values))
        )
        weight = metrics.absolute_sum(forecasts.actual) * len(forecasts.levels)
        flat = quantiles.reshape(-1, *quantiles.shape[2:])
        aggregate[name] = {
            "wql": loss / weight if weight else None,
            "mase": metrics.mean(row["mase"] for row in rows[name]),
            "mae": metrics.mean(row["mae"] for row in rows[name]),
            "coverage": metrics.coverage(forecasts.actual.reshape(-1, forecasts.actual.shape[-1]), flat),
        }
    for name in rows:
        for metric in ("wql", "mase"):
            ratios = [
                _ratio(own[metric], base[metric]) for own, base in zip(rows[name], rows["seasonal_naive"], strict=True)
            ]
            aggregate[name][f"relative_{metric}"] = metrics.geometric_mean(ratios)
    per_series = [
        {"item_id": item, **{name: rows[name][i] for name in (MODEL, "seasonal_naive")}}
        for i, item in enumerate(panel.item_ids)
    ]
    return {
        "schema_version": 1,
        "quantile_levels": forecasts.levels,
        "windows": config.evaluation.windows,
        "stride": config.stride,
        "prediction_length": config.forecast.prediction_length,
        "season_length": season,
        "held_out_from": str(panel.timestamps(0, forecasts.origins[0][0], forecasts.origins[0][0] + 1)[0]),
        "aggregate": aggregate,
        "verdict": verdict(aggregate, per_series),
        "per_series": per_series,
    }


def _series_scores(
    actual: Array, quantiles: Array, levels: list[float], scales: list[float | None]
) -> dict[str, float | None]:
    median = metrics.median_of(quantiles, levels)
    return {
        "wql": metrics.wql(actual, quantiles, levels),
        "mase": metrics.mase(actual, median, scales),
        "mae": metrics.mae(actual, median),
    }


def _ratio(own: float | None, base: float | None) -> float | None:
    return own / base if own is not None and base else None


def verdict(aggregate: dict[str, dict[str, Any]], per_series: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the comparison with seasonal naive: `better` or `worse` by WQL, the difference, and one sentence."""
    own, base = aggregate[MODEL]["wql"], aggregate["seasonal_naive"]["wql"]
    if own is None or base is None or base == 0:
        return {"result": "undecided", "sentence": "WQL is not defined here: every held-out value is zero or missing."}
    pairs = [(row[MODEL]["wql"], row["seasonal_naive"]["wql"]) for row in per_series]
    wins = sum(a < b for a, b in pairs if a is not None and b is not None)
    counted = sum(a is not None and b is not None for a, b in pairs)
    change = own / base - 1.0
    better = change < 0
    sentence = (
        f"{'Better' if better else 'Not better'} than seasonal naive on the held-out windows: WQL {own:.4f} against {base:.4f} "
        f"({change:+.1%}), and lower on {wins} of {counted} series."
    ).replace("(-", "(−")
    result = "better" if better else "worse"
    return {
        "result": result,
        "against": "seasonal_naive",
        "wql_change": change,
        "series_won": wins,
        "series": counted,
        "sentence": sentence,
    }
