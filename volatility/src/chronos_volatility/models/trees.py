"""LightGBM on the residual of log-HAR-X: what a linear model of logarithms misses, if there is anything.

G. Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chronos_volatility.models.design import Design
from chronos_volatility.models.har import fit_linear, names_x, seen, weights_of
from chronos_volatility.models.serve import Forecaster, Trees

FURTHER = (
    "ln_rv_5", "return_5", "return_20", "drawdown_60", "vix_to_vix3m", "variance_premium",
    "tlt_return_5", "tlt_ln_rv_5", "hyg_return_5", "hyg_ln_rv_5", "sessions_to_month_end", "sessions_to_holiday",
)  # fmt: skip

# Few small trees, slowly: five-session labels overlap, so 5,000 sessions are about 1,000 observations.
TREES = 100
PARAMETERS: dict[str, Any] = {
    "objective": "regression", "learning_rate": 0.03, "num_leaves": 8, "min_data_in_leaf": 200, "feature_fraction": 0.5,
    "lambda_l2": 10.0, "max_bin": 63, "seed": 1, "deterministic": True, "force_row_wise": True, "num_threads": 1,
    "verbosity": -1,
}  # fmt: skip


def fit_trees(design: Design, end: int) -> Forecaster:
    """Fit log-HAR-X on the first `end` sessions, and trees on what it leaves. DataError when they are too few."""
    linear_names = names_x(design, end)
    linear, residuals = fit_linear(design, end, linear_names)
    names: Sequence[str] = [*linear_names, *design.usable(FURTHER, end)]
    values = design.columns(names, end)
    used = np.isfinite(values).all(axis=1) & np.isfinite(residuals)
    import lightgbm  # late: the steps that fit nothing need not wait for it

    data = lightgbm.Dataset(values[used], residuals[used], weight=weights_of(int(used.sum())) * used.sum())
    booster = lightgbm.train(PARAMETERS, data, num_boost_round=TREES)
    trees = Trees(tuple(names), booster.model_to_string(num_iteration=-1))
    return Forecaster("log-har-x-trees", tuple(names), linear, seen(design, end), trees)
