"""Every forecaster scored, by series, by horizon and together: the content of evaluation/metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation import metrics
from chronos_training.models.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Chunk
from chronos_training.models.evaluation.relative import ratio
from chronos_training.models.evaluation.sharpe import Strategy
from chronos_training.models.evaluation.verdict import NAMES, decision, verdict


class Scoring:
    """Takes forecasts chunk by chunk, in the order of the panel's rows, and gives the scores at the end."""

    def __init__(self, panel: Panel, config: TrainingConfig) -> None:
        """`panel` is what was forecast."""
        self._panel, self._config = panel, config
        self._levels = list(config.forecast.quantile_levels)
        self._season = config.season_length(panel.manifest)
        self._scores: dict[str, metrics.Scores] = {}
        self._strategy = Strategy(
            config.forecast.target_kind, panel.freq, config.stride, config.evaluation.cost_basis_points
        )
        self._held_out_from = ""

    def add(self, chunk: Chunk) -> None:
        """Count a chunk's forecasts."""
        if not self._held_out_from:
            item, first = self._panel.row(chunk.rows[0])[0], int(chunk.origins[0, 0])
            self._held_out_from = str(self._panel.timestamps(item, first, first + 1)[0])
        scales = np.array([[metrics.seasonal_scale(h, self._season) for h in row] for row in chunk.histories])
        for name, quantiles in chunk.quantiles.items():
            self._must_be_numbers(name, chunk, quantiles)
            self._scores.setdefault(name, metrics.Scores(self._levels)).add(chunk.actual, quantiles, scales)
        last = np.array([[history[-1] for history in row] for row in chunk.histories])
        median = metrics.median_of(chunk.quantiles[MODEL], self._levels)
        self._strategy.add(last, chunk.actual, median, self._config.stride)

    def _must_be_numbers(self, name: str, chunk: Chunk, quantiles: Any) -> None:
        """Refuse a forecast without a number where something was observed: its error would count as none."""
        bad = (~np.isfinite(quantiles) & ~np.isnan(chunk.actual)[:, :, None]).any(axis=(1, 2, 3))
        if bad.any():
            series = self._panel.row_id(chunk.rows[int(np.flatnonzero(bad)[0])])
            raise TrainingError(
                f"The forecast of {name} of series {series!r} is not a number ({int(bad.sum())} series in this part).",
                hint="Leave out models by autogluon.models."
                if self._config.model.family == "autogluon"
                else "Lower training.learning_rate, or use training.precision fp32.",
            )

    def result(self) -> dict[str, Any]:
        """Return everything that was found, as JSON."""
        how = self._config.evaluation
        rows = {name: {key: scores.by_row(key) for key in metrics.ROW_METRICS} for name, scores in self._scores.items()}
        aggregate = {name: scores.aggregate() for name, scores in self._scores.items()}
        items = np.arange(self._panel.rows) // len(self._panel.targets)

        def compared(own: str, other: str, key: str) -> Any:
            return ratio(
                rows[own][key], rows[other][key], confidence=how.confidence, samples=how.bootstrap_samples,
                seed=self._config.training.seed, groups=items,
            )  # fmt: skip

        for name, values in aggregate.items():
            for key in ("wql", "mase"):
                found = compared(name, SEASONAL_NAIVE, key)
                values[f"relative_{key}"] = found.value if found else None
                values[f"relative_{key}_interval"] = list(found.interval) if found and found.interval else None
        verdicts = {
            name: verdict(name, compared(MODEL, name, "wql"), how.confidence) for name in NAMES if name in self._scores
        }
        return {
            "schema_version": 1,
            "quantile_levels": self._levels,
            "windows": how.windows,
            "stride": self._config.stride,
            "prediction_length": self._config.forecast.prediction_length,
            "season_length": self._season,
            "season_reason": self._config.season(self._panel.manifest).reason,
            "held_out_from": self._held_out_from,
            "aggregate": aggregate,
            "by_horizon": {name: scores.by_horizon() for name, scores in self._scores.items()},
            "verdict": verdicts[SEASONAL_NAIVE],
            "verdicts": verdicts,
            "publish": decision(how.publish_if, verdicts),
            "sharpe": self._strategy.result(),
            "per_series": [
                {"item_id": self._panel.row_id(row), **{name: self._row(values, row) for name, values in rows.items()}}
                for row in range(self._panel.rows)
            ],
        }

    @staticmethod
    def _row(values: dict[str, Any], row: int) -> dict[str, float | None]:
        return {key: metrics.number(column[row]) for key, column in values.items()}
