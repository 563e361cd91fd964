"""Scores of every forecaster, by series, by horizon and in total: the content of evaluation/metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.panel import Panel
from chronos_training.data.resolution import is_constant
from chronos_training.evaluation import metrics
from chronos_training.evaluation.backtest import Backtest, worst_series
from chronos_training.evaluation.combine import COMBINATION
from chronos_training.evaluation.comparing import Comparing
from chronos_training.evaluation.coverage import judged
from chronos_training.evaluation.evidence import Dates
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, SEED, Chunk
from chronos_training.evaluation.sharpe import Strategy
from chronos_training.evaluation.verdict import NAMES, decision, over_seeds, verdict


class Scoring:
    """Takes forecasts chunk by chunk, in the order of the panel's rows, and returns the scores at the end."""

    def __init__(self, panel: Panel, config: TrainingConfig) -> None:
        """`panel` is what was forecast."""
        self._panel, self._config = panel, config
        self._levels = list(config.forecast.quantile_levels)
        self._season = config.season_length(panel.manifest)
        self._scores: dict[str, metrics.Scores] = {}
        self._dates = Dates(panel, config)
        self._backtest = Backtest(panel, self._levels)
        self._seen: list[Any] = []  # (rows, windows): observations
        self._sampled: dict[str, list[Any]] = {}  # (rows,): the rows of a forecaster that does not forecast all
        self._constant: list[bool] = []  # by row
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
        self._dates.add(chunk)
        self._backtest.add(chunk, scales)
        self._seen.append((~np.isnan(chunk.actual)).sum(axis=2))
        for history, actual in zip(chunk.histories, chunk.actual, strict=True):
            self._constant.append(is_constant(np.concatenate([history[-1], actual[-1]])))
        for name, quantiles in chunk.quantiles.items():
            there = chunk.sampled.get(name, np.ones(len(chunk.rows), bool))
            if name in chunk.sampled:
                self._sampled.setdefault(name, []).append(there)
            self._must_be_numbers(name, chunk, quantiles, there)
            # Rows that were not forecast count as not observed.
            actual = np.where(there[:, None, None], chunk.actual, np.nan)
            self._scores.setdefault(name, metrics.Scores(self._levels)).add(actual, quantiles, scales)
        last = np.array([[history[-1] for history in row] for row in chunk.histories])
        median = metrics.median_of(chunk.quantiles[MODEL], self._levels)
        self._strategy.add(last, chunk.actual, median, self._config.stride)

    def _must_be_numbers(self, name: str, chunk: Chunk, quantiles: Any, there: Any) -> None:
        """Refuse a forecast that is not a number where a value was observed: its error would not be counted."""
        bad = (~np.isfinite(quantiles) & ~np.isnan(chunk.actual)[:, :, None]).any(axis=(1, 2, 3)) & there
        if bad.any():
            series = self._panel.row_id(chunk.rows[int(np.flatnonzero(bad)[0])])
            raise TrainingError(
                f"The {name} forecast of series {series!r} is not a number ({int(bad.sum())} series in this part).",
                hint="Leave models out with autogluon.models."
                if self._config.model.family == "autogluon"
                else "Lower training.learning_rate, or use training.precision fp32.",
            )

    def share_inside(self, scores: metrics.Scores) -> float | None:
        """Return the coverage of the outermost interval, as in `interval_coverage`, for other scores of the same rows."""
        seen, rows = np.concatenate(self._seen), ~np.array(self._constant)
        count = seen[rows].sum()
        return float(scores.by_window("inside")[rows].sum() / count) if count else None

    def result(self) -> dict[str, Any]:
        """Return all scores as JSON."""
        how = self._config.evaluation
        seeds = [name for name in self._scores if name.startswith(SEED)]
        named = {name: scores for name, scores in self._scores.items() if name not in seeds}
        rows = {name: {key: scores.by_row(key) for key in metrics.ROW_METRICS} for name, scores in named.items()}
        aggregate = {name: scores.aggregate() for name, scores in named.items()}
        items = np.arange(self._panel.rows) // len(self._panel.targets)
        seen, constant = np.concatenate(self._seen), np.array(self._constant)
        compared = ~constant & (seen.sum(axis=1) > 0)
        sampled = {name: np.concatenate(parts) for name, parts in self._sampled.items()}
        comparing = Comparing(
            self._scores, items, self._dates.periods(), seen, compared, self._dates.resampling(), sampled
        )
        evidence = self._dates.evidence(len(np.unique(items[compared])), int(constant.sum()))
        against = {name: comparing.by_wql(name, SEASONAL_NAIVE) for name in named}
        for name, values in aggregate.items():
            for key, found in (("wql", against[name]), ("mase", comparing.by_mase(name, SEASONAL_NAIVE))):
                values[f"relative_{key}"] = found.value if found else None
                values[f"relative_{key}_interval"] = list(found.interval) if found and found.interval else None
                values[f"relative_{key}_series"] = found.rows if found else 0
                values[f"relative_{key}_pooled"] = found.pooled if found else None
        verdicts = {}
        for name in NAMES:
            if name in self._scores:
                found = against[MODEL] if name == SEASONAL_NAIVE else comparing.by_wql(MODEL, name)
                odd = [self._panel.item_ids[item] for item in found.odd] if found else []
                own = verdict(name, found, how.confidence, evidence, odd)
                others = [verdict(name, comparing.by_wql(seed, name), how.confidence, evidence) for seed in seeds]
                verdicts[name] = over_seeds(own, others)
        together = {}
        for name in (SEASONAL_NAIVE, MODEL):
            if COMBINATION in self._scores:
                found = comparing.by_wql(COMBINATION, name)
                odd = [self._panel.item_ids[item] for item in found.odd] if found else []
                together[name] = verdict(name, found, how.confidence, evidence, odd)
        coverage = {
            name: judged(
                *comparing.covered(name), self._levels, comparing.how, how.coverage_tolerance, evidence.missing
            )
            for name in (MODEL, SEASONAL_NAIVE)
        }
        spans = zip(self._dates.spans(), comparing.by_period(MODEL, SEASONAL_NAIVE), strict=True)
        per_series = [
            {"item_id": self._panel.row_id(row), **{name: self._row(values, row) for name, values in rows.items()}}
            for row in range(self._panel.rows)
        ]
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
            "by_horizon": {name: scores.by_horizon() for name, scores in named.items()},
            "verdict": verdicts[SEASONAL_NAIVE],
            "verdicts": verdicts,
            "evidence": evidence.about(),
            "interval_coverage": coverage[MODEL],
            "interval_coverage_seasonal_naive": coverage[SEASONAL_NAIVE],
            "publish": decision(
                how.publish_if, verdicts, coverage[MODEL], without_evidence=how.publish_without_evidence
            ),
            "by_period": [{"first_date": first, "last_date": last, **values} for (first, last), values in spans],
            "combination": {"verdicts": together},
            "sharpe": self._strategy.result(),
            "worst_dates": self._backtest.worst_dates(),
            "worst_series": worst_series(per_series),
            "per_series": per_series,
        }

    @staticmethod
    def _row(values: dict[str, Any], row: int) -> dict[str, float | None]:
        return {key: metrics.number(column[row]) for key, column in values.items()}
