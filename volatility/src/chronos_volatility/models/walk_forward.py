"""Forecasts as they would have been made: fitted on the past, for what came after it, over the whole history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.models.design import Array, Design
from chronos_volatility.models.leaks import HORIZON, require_forward
from chronos_volatility.models.specifications import BENCHMARK, HAR, Specification

LEAST_TRAINING = 1000
"""Sessions before the first forecast, about four years."""


@dataclass(frozen=True)
class Fold:
    """A fit on the first `train` sessions, and the forecasts of the sessions from `begin` to before `end`."""

    train: int
    begin: int
    end: int


def expanding(rows: int, first: int, refit: int, purge: int = HORIZON) -> Iterator[Fold]:
    """Yield the folds of `rows` sessions from session `first` on: a new fit every `refit` sessions.

    At the close of session t the labels up to t - `purge` are known, and the fit for t uses all of them.
    """
    for begin in range(first, rows, refit):
        yield Fold(begin - purge + 1, begin, min(begin + refit, rows))


def first_forecast(design: Design, first: str | None = None) -> int:
    """Return the position of the first session to forecast: `first` (YYYY-MM-DD), and never before LEAST_TRAINING.

    DataError when there is none.
    """
    asked = 0 if first is None else int(np.searchsorted(design.dates, np.datetime64(first)))
    position = max(asked, LEAST_TRAINING + HORIZON)
    if position >= len(design):
        raise DataError(
            f"The training set has {len(design):,} sessions; the first {position:,} are for fitting, so none is left to test.",
            hint="Ingest a longer history.",
        )
    return position


def forecasts(
    design: Design,
    specification: Specification,
    first: int,
    *,
    purge: int = HORIZON,
    folds: Iterable[Fold] | None = None,
) -> Array:
    """Return the variances that `specification` forecasts for the sessions from `first` on: (n - first), NaN for none.

    Leak when `purge` or a fold would let it see what came after a forecast.
    """
    found = np.full(len(design), np.nan)
    taken: dict[tuple[str, ...], Array] = {}
    for fold in expanding(len(design), first, specification.refit, purge) if folds is None else folds:
        require_forward(np.arange(fold.train), np.arange(fold.begin, fold.end), purge=purge)
        fitted = specification.fit(design, fold.train)
        names = tuple(fitted.names)
        if names not in taken:
            taken[names] = design.columns(names)
        found[fold.begin : fold.end] = fitted.forecast(taken[names], fold.begin, fold.end)
    return found[first:]


def run(
    design: Design, candidates: Sequence[Specification], *, first: str | None = None, purge: int = HORIZON
) -> pd.DataFrame:
    """Return one row a session from the first forecast on: date, y (the variance that came), and a column a model.

    The columns are the benchmark's, log-HAR's and those of `candidates`. Where a feature is missing, log-HAR's forecast
    stands in, as it does in service; `attrs["filled"]` counts that by model. Leak; DataError when there are too few sessions.
    """
    begin = first_forecast(design, first)
    wanted = list(dict.fromkeys([BENCHMARK, HAR, *candidates]))
    columns = {one.name: forecasts(design, one, begin, purge=purge) for one in wanted}
    filled = {}
    for name, values in columns.items():
        missing = ~np.isfinite(values)
        filled[name] = int(missing.sum())
        values[missing] = columns[HAR.name][missing]
    table = pd.DataFrame(
        {"date": design.dates[begin:].astype("datetime64[ns]"), "y": design.variance[begin:], **columns}
    )
    if not np.isfinite(table[HAR.name]).all():
        raise DataError(
            f"{int((~np.isfinite(table[HAR.name])).sum())} session(s) lack even the features of log-HAR.",
            hint="Run `volatility check`: prices are missing.",
        )
    table.attrs["filled"] = filled
    return table
