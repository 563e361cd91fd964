"""`volatility infer`: the forecast of the five sessions after a session's close, into predictions_daily."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.core.clock import iso
from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact, words
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.serving import mirror, predictions
from chronos_volatility.serving.predictions import Served
from chronos_volatility.steps.options import add_common, now_of, storage_of
from chronos_volatility.storage import Storage

FOLLOWING = 30
"""Of how many later sessions a forecast says when theirs is due."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument("--date", metavar="DATE", help="the session to stand at (default: the last with features)")


def run(options: argparse.Namespace) -> int:
    """Forecast and store, and say what was forecast."""
    storage, now = storage_of(options), now_of(options)
    session = _session(storage, options.date, now)
    stored = tables.read(storage, tables.PREDICTIONS, first=session, last=session)
    if not stored.empty:
        row = dict(stored.iloc[0])
        serve(storage, row, environ=os.environ)
        print(f"{session.date()}: {100 * row['annualized']:.1f} % a year by {row['model_version']}, was there already")
        return 0
    row = forecast(storage, session, environ=os.environ)
    tables.write(storage, tables.PREDICTIONS, pd.DataFrame([row]).astype({"regime": object}), now=now)
    serve(storage, row, environ=os.environ)
    print(f"{session.date()}: {100 * row['annualized']:.1f} % a year by {row['model_version']}")
    return 0


def serve(storage: Storage, row: Mapping[str, Any], *, environ: Mapping[str, str]) -> None:
    """Leave a row of predictions_daily where the API reads it, and in the mirror if the environment names one."""
    settings = settings_of.of(storage)
    calendar = get_calendar(settings.calendar, settings.closed)
    session = pd.Timestamp(row["date"])
    known = calendar.distance(session, calendar.last)  # about a year
    days = [calendar.after(session, count) for count in range(1, min(FOLLOWING, known) + 1)]
    served = Served(
        str(session.date()), float(row["rv_5d_hat"]), float(row["annualized"]), tuple(row["top_drivers"]),
        tuple({**driver, "value": float(driver["value"]), "contribution": float(driver["contribution"])} for driver in row["drivers"]),
        str(row["model_version"]), artifact.load(storage, str(row["model_version"])).feature_set_version,
        tuple(iso(calendar.forecast_due(day).to_pydatetime()) for day in days),
    )  # fmt: skip
    predictions.keep(storage, served)
    if table := environ.get(mirror.VARIABLE, ""):
        mirror.Mirror(table, predictions.Stored(storage)).keep(served)


def forecast(storage: Storage, session: pd.Timestamp, *, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of predictions_daily for `session`, with a model that could not know what came after it.

    Where a feature of the model is missing, log-HAR of the same training forecasts, and is the row's model_version.
    """
    features = tables.read(storage, tables.FEATURES, first=session, last=session)
    if features.empty:
        raise DataError(f"{tables.FEATURES} has no row of {session.date()}.", hint="Run `volatility features` first.")
    row = features.iloc[0]
    version, model = _model(storage, session, environ)
    if model.feature_set_version != row["feature_set_version"]:
        raise DataError(
            f"{version} was fitted on feature set {model.feature_set_version}; the features of {session.date()} are "
            f"{row['feature_set_version']}.",
            hint="Train again, or roll the program back.",
        )
    values = _values(row, model)
    if not np.isfinite(values).all() and model.fallback:
        version, model = model.fallback, artifact.load(storage, model.fallback)
        values = _values(row, model)
    if not np.isfinite(values).all():
        names = [name for name, value in zip(model.forecaster.names, values, strict=True) if not np.isfinite(value)]
        raise DataError(f"{tables.FEATURES}: {', '.join(names)} of {session.date()} missing, and {version} needs them.")
    rv_5d = float(model.forecaster.rv_5d(values[None, :])[0])
    drivers = model.forecaster.drivers(values)
    return {
        "date": session,
        "rv_5d_hat": rv_5d,
        "annualized": words.annualized(rv_5d),
        "top_drivers": words.top_drivers(drivers),
        "drivers": [one._asdict() for one in drivers],
        "model_version": version,
        "features_sha": hashlib.sha256(values.tobytes()).hexdigest()[:16],
        "regime": None,
    }


def _model(storage: Storage, session: pd.Timestamp, environ: Mapping[str, str]) -> tuple[str, Artifact]:
    """Return the pinned model, else the last champion whose training had ended at `session`. DataError when there is none."""
    day = str(session.date())
    version = champion.serving(storage, environ)
    found = artifact.load(storage, version)
    if found.cut <= day or environ.get(champion.PIN):
        return version, found
    present = champion.current(storage)
    for entry in reversed(present.history if present else ()):
        found = artifact.load(storage, entry.version)
        if found.cut <= day:
            return entry.version, found
    raise DataError(
        f"No champion was trained before {day}: {version} knows what came after, and its answer would not be a forecast.",
        hint="The walk-forward of the training has forecasts of the past.",
    )


def _session(storage: Storage, asked: str | None, now: datetime) -> pd.Timestamp:
    if asked is not None:
        try:
            return pd.Timestamp(datetime.fromisoformat(asked).date())
        except ValueError as error:
            raise ConfigurationError(f"--date {asked} is not a date.", hint="Write it as 2018-12-07.") from error
    last = tables.last_day(storage, tables.FEATURES, now)
    if last is None:
        raise DataError(f"{storage.url} has no features.", hint="Run `volatility features` first.")
    return pd.Timestamp(last)


def _values(row: pd.Series, model: Artifact) -> np.ndarray:
    return np.asarray(row[list(model.forecaster.names)], dtype=np.float64)
