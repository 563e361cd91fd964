"""Forecasts of the past, and the three leaks that would make them better than they were."""

import dataclasses

import numpy as np
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility.gate.measures import qlike
from chronos_volatility.models import walk_forward
from chronos_volatility.models.design import Design
from chronos_volatility.models.leaks import Leak, require_forward, require_known_labels
from chronos_volatility.models.specifications import GARCH, HAR, HAR_X, TREES
from chronos_volatility.models.walk_forward import Fold, expanding, forecasts
from tests.volatility.panels import design_of, walk

DESIGN = design_of(walk(1400, seed=5))


def test_folds_expand_and_leave_five_sessions_out():
    folds = list(expanding(1100, 1005, 63))
    assert folds[0] == Fold(1001, 1005, 1068)
    assert folds[-1] == Fold(1064, 1068, 1100)
    # The label of the last training session, 1000, ends at session 1005, at whose close the forecast is made.
    assert folds[0].train - 1 + 5 == folds[0].begin


def test_a_run_has_a_row_a_session_and_a_column_a_model():
    table = walk_forward.run(DESIGN, [HAR_X, TREES, GARCH])
    assert table.columns.tolist() == ["date", "y", "rv-20", "log-har", "log-har-x", "log-har-x-trees", "gjr-garch"]
    assert len(table) == len(DESIGN) - 1005
    assert (table.iloc[:, 1:] > 0).all(axis=None)
    assert np.array_equal(table["y"], DESIGN.variance[1005:])


@pytest.mark.parametrize("specification", [HAR, HAR_X, TREES, GARCH], ids=lambda one: one.name)
def test_nothing_after_a_forecast_changes_it(specification):
    """Features after t, and labels from t - 4 on, were not known at t."""
    first, last = 1005, 1100
    known = forecasts(DESIGN, specification, first)[: last - first]
    rng = np.random.default_rng(0)
    values, variance = DESIGN.values.copy(), DESIGN.variance.copy()
    values[last:] *= rng.lognormal(0, 1, values[last:].shape)
    variance[last - 5 :] *= rng.lognormal(0, 1, len(variance) - last + 5)
    altered = dataclasses.replace(DESIGN, values=values, variance=variance)
    assert np.array_equal(forecasts(altered, specification, first)[: last - first], known)


def test_where_a_feature_is_missing_log_har_stands_in_and_is_counted():
    values = DESIGN.values.copy()
    row = 1203
    values[row, DESIGN.names.index("vix_change")] = np.nan
    table = walk_forward.run(dataclasses.replace(DESIGN, values=values), [HAR_X])
    assert table.attrs["filled"] == {"rv-20": 0, "log-har": 0, "log-har-x": 1}
    assert table["log-har-x"].iloc[row - 1005] == table["log-har"].iloc[row - 1005]


def test_too_short_a_history_is_refused():
    with pytest.raises(DataError, match="none is left to test"):
        walk_forward.run(design_of(walk(900)), [HAR])


def test_leak_labels_that_end_after_the_forecast_are_refused():
    with pytest.raises(Leak, match="A purge of 4 sessions"):
        forecasts(DESIGN, HAR, 1005, purge=4)
    with pytest.raises(Leak, match="1 training session"):
        forecasts(DESIGN, HAR, 1005, folds=[Fold(1002, 1005, 1068)])


def test_leak_a_label_past_the_cut_is_refused():
    with pytest.raises(Leak, match="label of 2018-12-03 ends after the cut 2018-12-07"):
        require_known_labels(["2018-11-30", "2018-12-03"], "2018-12-07", lambda: 4)
    require_known_labels(["2018-11-30"], "2018-12-07", lambda: 5)


def shuffled(rows: int, folds: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    order = np.random.default_rng(seed).permutation(rows)
    parts = np.array_split(order, folds)
    return [(np.sort(np.concatenate(parts[:k] + parts[k + 1 :])), np.sort(parts[k])) for k in range(folds)]


def test_leak_shuffled_folds_are_refused():
    for train, test in shuffled(len(DESIGN), 5):
        with pytest.raises(Leak, match="the folds are shuffled or not purged"):
            require_forward(train, test)


def test_shuffled_folds_would_flatter_deep_trees():
    """What the refusal is for: overlapping labels of neighbours are in the training set, and deep trees remember them."""
    import lightgbm

    rows = np.isfinite(DESIGN.columns(HAR_X.fit(DESIGN, 1300).names)).all(axis=1)
    x = np.column_stack([DESIGN.columns(HAR_X.fit(DESIGN, 1300).names)[rows], np.arange(rows.sum())])
    y = DESIGN.variance[rows]

    def loss(folds: list[tuple[np.ndarray, np.ndarray]]) -> float:
        found = []
        for train, test in folds:
            deep = {
                "num_leaves": 255,
                "min_data_in_leaf": 3,
                "learning_rate": 0.1,
                "verbosity": -1,
                "num_threads": 1,
                "seed": 1,
            }
            model = lightgbm.train(deep, lightgbm.Dataset(x[train], np.log(y[train])), 100)
            found.append(qlike(y[test], np.exp(model.predict(x[test]))))
        return float(np.mean(found))

    count = len(y)
    purged = [(np.arange(begin - 4), np.arange(begin, begin + 100)) for begin in range(count - 300, count, 100)]
    for train, test in purged:
        require_forward(train, test)
    assert loss(shuffled(count, 5)[:3]) < 0.6 * loss(purged)


def test_coverage_is_counted_up_to_the_fit():
    values = DESIGN.values.copy()
    place = DESIGN.names.index("vix_to_vix3m")
    values[:, place] = 0.1
    values[60:100, place] = np.nan
    design: Design = dataclasses.replace(DESIGN, values=values)
    assert design.usable(["vix_to_vix3m", "ln_parkinson_1", "unknown"], 1000) == ["ln_parkinson_1"]
    values[60:69, place] = 0.1
    values[69:100, place] = 0.1
    values[60:69, place] = np.nan
    assert design.usable(["vix_to_vix3m"], 960) == ["vix_to_vix3m"]
