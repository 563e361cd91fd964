"""Guards against looking ahead: what makes a backtest better than the future will be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from chronos_training.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

HORIZON = 5


class Leak(DataError):
    """Something from after a forecast's session would go into it."""


def require_forward(train: ArrayLike, test: ArrayLike, *, purge: int = HORIZON) -> None:
    """Refuse a fold unless every training session ends `purge` or more before every test session. Leak.

    `train` and `test` are positions of sessions. The label of session t is known `HORIZON` sessions later, at the close of t + 5;
    so a fit for t may use labels up to t - 5. Shuffled folds break this. Source: M. López de Prado, Advances in financial
    machine learning (2018), chapter 7.
    """
    if purge < HORIZON:
        raise Leak(f"A purge of {purge} sessions lets training labels end after the forecast: {HORIZON} are needed.")
    train, test = np.asarray(train), np.asarray(test)
    if len(train) == 0 or len(test) == 0:
        raise Leak("A fold without training or test sessions says nothing.")
    last, first = int(train.max()), int(test.min())
    if last > first - purge:
        many = int(np.sum(train > first - purge))
        raise Leak(
            f"{many} training session(s) are not {purge} sessions before the first forecast (session {first}): their labels "
            "were not known then, so the folds are shuffled or not purged.",
            hint="Fit on an expanding window that ends before the forecasts.",
        )


def require_known_labels(dates: ArrayLike, cut: str, sessions_after: Callable[[], int]) -> None:
    """Refuse a training set with a label that ends after `cut`. Leak.

    `dates` are the sessions of the labels; `sessions_after` counts the sessions after the last of them, up to `cut`.
    """
    last = np.asarray(dates, dtype="datetime64[D]")[-1]
    if sessions_after() < HORIZON:
        raise Leak(
            f"labels_daily: the label of {last} ends after the cut {cut}: it was not known then.",
            hint="Build the training set again; it takes only labels that had ended.",
        )


def require_point_in_time(
    compute: Callable[[pd.DataFrame], pd.DataFrame], market: pd.DataFrame, sessions: Sequence[object]
) -> None:
    """Refuse features that change when the rows after them are not there yet. Leak names the features.

    `compute` makes a table with a column `date` from market data; it is called for the market up to each of `sessions`.
    """
    whole = compute(market).set_index("date")
    for session in sessions:
        before = compute(market[market["date"] <= session]).set_index("date")
        names = [name for name in whole.columns if not before[name].equals(whole.loc[before.index, name])]
        if names:
            raise Leak(
                f"features_daily: {', '.join(names)} of {str(session)[:10]} or before depend(s) on sessions after it.",
                hint="A feature may use its own session's row and earlier ones only.",
            )
