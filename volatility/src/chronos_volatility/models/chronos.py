"""Forecasts of a training run of this repository's foundation models, brought in as a candidate like any other.

The run forecasts ln of the daily variance (`chronos-training forecast`), one series for each session that it stands at: its
history up to that session, named by it. What it writes has columns item_id, timestamp and q<level>, a row for each of the five
sessions ahead. Here the medians become a variance, and what is wrong with its level is corrected on the past. `series` makes the
run's data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility.models.design import Array, Design
from chronos_volatility.models.leaks import HORIZON, Leak
from chronos_volatility.models.specifications import MONTH, Specification
from chronos_volatility.tables.encoding import read_parquet

CONTEXT = 512  # sessions, two years


@dataclass(frozen=True)
class Forecasts:
    """What a run forecast: ln of the variance of five sessions, uncorrected, by the session it stood at."""

    run_id: str
    ln_variance: pd.Series


def series(design: Design, first: str, context: int = CONTEXT) -> pd.DataFrame:
    """Return the data of such a run: for each session from `first` on, named by it, the `context` sessions up to it.

    Columns: item_id (YYYY-MM-DD), timestamp, target (ln_parkinson_1) and, where the design has it, vix (ln_vix_variance), a past
    covariate. A model for them is fitted on the series before `first` alone, or it has seen what it forecasts.
    """
    names = {"target": "ln_parkinson_1", "vix": "ln_vix_variance"}
    known = {
        name: design.columns([feature])[:, 0]
        for name, feature in names.items()
        if design.usable([feature], len(design))
    }
    begin = int(np.searchsorted(design.dates, np.datetime64(first)))
    parts = []
    for origin in range(begin, len(design)):
        rows = slice(max(0, origin + 1 - context), origin + 1)
        columns = {name: values[rows] for name, values in known.items()}
        stamps = design.dates[rows].astype("datetime64[ns]")
        parts.append(pd.DataFrame({"item_id": str(design.dates[origin]), "timestamp": stamps, **columns}))
    if not parts:
        raise DataError(f"The training set has no session from {first} on.")
    return pd.concat(parts, ignore_index=True)


def read(path: Path, run_id: str, design: Design, *, trained_until: str) -> Forecasts:
    """Return the forecasts in `path` (CSV or Parquet) of the run `run_id`. DataError names what is wrong with the table.

    Those that stand at or before `trained_until`, the last day that the run was trained on, are left out: it knew what came.
    Leak when a series named by a session begins its forecast on or before it.
    """
    table = _table(path)
    missing = {"item_id", "timestamp", "q0.5"} - set(table.columns)
    if missing:
        raise DataError(
            f"{path}: {', '.join(sorted(missing))} missing; it is not an output of `chronos-training forecast`."
        )
    try:
        origins = pd.to_datetime(table["item_id"].astype(str), format="ISO8601")
        times = pd.to_datetime(table["timestamp"].astype(str), format="ISO8601")
    except ValueError as error:
        raise DataError(f"{path}: an item_id or timestamp is not a date: {error}.") from error
    if (times <= origins).any():
        row = int(np.argmax(times <= origins))
        raise Leak(
            f"{path}, row {row + 1}: the forecast of {times[row].date()} stands at {origins[row].date()}, not before it."
        )
    values = table["q0.5"].to_numpy(np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: q0.5 is not a number in {int((~np.isfinite(values)).sum())} rows.")
    steps = pd.DataFrame({"origin": origins, "time": times, "variance": np.exp(values)}).sort_values(["origin", "time"])
    ahead = steps.groupby("origin").cumcount()
    steps = steps[ahead < HORIZON]
    counts = steps.groupby("origin")["variance"].agg(["size", "sum"])
    short = counts.index[counts["size"] < HORIZON]
    if len(short):
        raise DataError(f"{path}: {len(short)} series have fewer than {HORIZON} sessions, {short[0].date()} for one.")
    known = counts.index.isin(design.dates.astype("datetime64[ns]")) & (counts.index > pd.Timestamp(trained_until))
    if not known.any():
        raise DataError(f"{path}: no item_id is a session of the training set after {trained_until}.")
    return Forecasts(run_id, np.log(counts.loc[known, "sum"]))


@dataclass(frozen=True)
class Corrected:
    """The run's variances, times a factor that past outcomes gave."""

    forecasts: Array
    factor: float
    names: tuple[str, ...] = ()

    def forecast(self, values: Array, begin: int, end: int) -> Array:
        """Return the variances (end - begin) of the sessions from `begin` on, NaN where the run has none."""
        return np.asarray(self.factor * self.forecasts[begin:end])


def specification(found: Forecasts, design: Design) -> Specification:
    """Return the candidate `chronos` of these forecasts. It serves no session by itself: each needs a new forecast of the run."""
    dates = pd.DatetimeIndex(design.dates.astype("datetime64[ns]"))
    variances = np.exp(found.ln_variance.reindex(dates).to_numpy(np.float64))

    def fit(rows: Design, end: int) -> Corrected:
        known = np.isfinite(variances[:end])
        if not known.any():
            return Corrected(variances, np.nan)
        return Corrected(variances, float(np.mean(rows.variance[:end][known] / variances[:end][known])))

    return Specification("chronos", f"chronos, run {found.run_id}", 5, MONTH, fit, serves=False)


def _table(path: Path) -> pd.DataFrame:
    if path.suffix not in {".csv", ".parquet"}:
        raise ConfigurationError(f"{path}: forecasts are read from .csv or .parquet.")
    try:
        return pd.read_csv(path) if path.suffix == ".csv" else read_parquet(path.read_bytes()).to_pandas()
    except (OSError, ValueError) as error:
        raise DataError(f"Could not read the forecasts {path}: {error}.") from error
