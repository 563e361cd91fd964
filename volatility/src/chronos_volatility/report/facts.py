"""What the report tells, read from the storage and put into numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.features import feature_set
from chronos_volatility.gate import champion, measures
from chronos_volatility.gate.confidence_set import SIZE
from chronos_volatility.gate.diebold_mariano import statistic
from chronos_volatility.gate.run import PREFIX as DECISIONS
from chronos_volatility.models import artifact, intervals, training, words
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.models.serve import Driver
from chronos_volatility.models.specifications import BENCHMARK, BY_NAME
from chronos_volatility.models.training import Run
from chronos_volatility.settings import Settings
from chronos_volatility.steps.check import check
from chronos_volatility.storage import Storage

SURE = 1.96  # Diebold-Mariano: 95 %, two-sided


@dataclass(frozen=True)
class Facts:
    """Everything that the page is written from."""

    settings: Settings
    run: Run
    decision: dict[str, Any] | None
    """The gate's record of this training, None before the gate."""
    champion: champion.Champion | None
    model: Artifact | None
    """What serves, None when nothing does."""
    shown: str
    """The specification whose walk-forward is shown: the champion's, else log-HAR's."""
    walk: pd.DataFrame
    """date, y, a variance a specification."""
    bounds: np.ndarray
    """Quantiles of rv_5d at each session of `walk`, by the residuals known then: (n, levels)."""
    features: pd.DataFrame
    market: pd.DataFrame
    """curated.market_daily."""
    prediction: dict[str, Any] | None
    """The last row of predictions_daily."""
    tables: list[str]
    problems: list[str]
    now: datetime

    @property
    def champion_version(self) -> str | None:
        """The version that serves."""
        return self.champion.version if self.champion else None


def gather(storage: Storage, now: datetime) -> Facts:
    """Read the latest training and all that belongs to it. DataError without one, or when its prices are synthetic."""
    settings = settings_of.of(storage)
    run = training.load(storage, training.latest(storage))
    measures.require_real(synthetic=run.synthetic)
    walk = training.forecasts(storage, run)
    serving = champion.current(storage)
    model = artifact.load(storage, serving.version) if serving else None
    shown = model.forecaster.specification if model else "log-har"
    if shown not in walk.columns:  # of an earlier training with another candidate
        shown = "log-har"
    found, problems = check(storage, settings, now)
    predictions = tables.read(storage, tables.PREDICTIONS)
    return Facts(
        settings, run, _decision(storage, run), serving, model, shown, walk,
        intervals.as_known(walk["y"].to_numpy(), walk[shown].to_numpy()),
        tables.read(storage, tables.FEATURES), tables.read(storage, tables.MARKET_DAILY),
        None if predictions.empty else dict(predictions.iloc[-1]), found, problems, now,
    )  # fmt: skip


def _decision(storage: Storage, run: Run) -> dict[str, Any] | None:
    key = f"{DECISIONS}{run.name}.json"
    body = storage.read(key)
    if body is None:
        return None
    try:
        found: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise DataError(f"{storage.url}/{key} is damaged: {error}.") from error
    return found


def models(facts: Facts) -> list[dict[str, Any]]:
    """Return a row a model, the best QLIKE first: scores, gains over scaled RV20, and t against the one that is shown.

    `t` is Diebold and Mariano's of the shown model against this one: positive when the shown one loses less. None for itself.
    """
    y = facts.walk["y"].to_numpy()
    losses = {name: measures.qlike_loss(y, facts.walk[name].to_numpy()) for name in facts.run.scores}
    base = facts.run.scores[BENCHMARK.name]
    chances = facts.decision["confidence_set"] if facts.decision else {}
    rows = [
        {
            "name": name,
            "title": title(facts.run, name),
            "rmse": score["rmse"],
            "qlike": score["qlike"],
            "rmse_gain": measures.gain(score["rmse"], base["rmse"]),
            "qlike_gain": measures.gain(score["qlike"], base["qlike"]),
            "t": None if name == facts.shown else float(statistic(losses[name], losses[facts.shown])),
            "chance": chances.get(name),
            "in_set": name in chances and chances[name] >= SIZE,
            "features": len(facts.run.features.get(name, [])),
            "serves": name == facts.shown and facts.model is not None,
        }
        for name, score in facts.run.scores.items()
    ]
    return sorted(rows, key=lambda row: row["qlike"])


def title(run: Run, name: str) -> str:
    """Return a specification's title."""
    known = run.specifications.get(name)
    return str(known["title"]) if known else BY_NAME[name].title if name in BY_NAME else name


def forecast_in_words(facts: Facts) -> dict[str, Any] | None:
    """Return the last prediction: session, annualised, its 80 % interval, and the drivers as sentences. None without one.

    The interval is that of the model that made it, None when it has none.
    """
    row = facts.prediction
    if row is None:
        return None
    interval = facts.model.interval if facts.model and row["model_version"] == facts.champion_version else {}
    factors = [interval.get(f"{level:g}") for level in (0.1, 0.9)]
    drivers = [Driver(**one) for one in row["drivers"]]
    return {
        "session": str(row["date"].date()),
        "annualized": row["annualized"],
        "low": row["annualized"] * factors[0] if factors[0] else None,
        "high": row["annualized"] * factors[1] if factors[1] else None,
        "version": row["model_version"],
        "sentences": [words.sentence(one, feature_set.TITLES) for one in drivers],
    }
