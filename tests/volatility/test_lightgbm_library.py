"""LightGBM's library without its Python package answers what the package answers."""

from __future__ import annotations

import gc
import weakref

import lightgbm
import numpy as np
import pytest

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_volatility.models import lightgbm_library
from chronos_volatility.models.lightgbm_library import TreeLibraryModel
from chronos_volatility.models.trees import PARAMETERS

RANDOM = np.random.default_rng(5)
VALUES = RANDOM.normal(size=(2000, 6))
TARGET = VALUES[:, 0] * VALUES[:, 1] + np.abs(VALUES[:, 2]) + RANDOM.normal(scale=0.1, size=2000)
TEXT = lightgbm.train(PARAMETERS, lightgbm.Dataset(VALUES, TARGET), num_boost_round=60).model_to_string(
    num_iteration=-1
)


@pytest.mark.parametrize(
    "asked",
    [
        VALUES[:300],
        VALUES[:1],
        VALUES[:300, ::-1],  # neither in C's order nor contiguous
        np.asfortranarray(VALUES[:50]),
        np.where(RANDOM.random((300, 6)) < 0.2, np.nan, VALUES[:300]),
        np.array([[np.inf, -np.inf, 1e300, -1e300, 0.0, -0.0]]),
    ],
    ids=["many", "one", "reversed", "columns", "missing", "extreme"],
)
def test_it_answers_exactly_what_the_package_answers(asked):
    package, library = lightgbm.Booster(model_str=TEXT), TreeLibraryModel(TEXT)
    assert np.array_equal(library.predict(asked), package.predict(asked))
    contributions = library.contributions(asked)
    assert np.array_equal(contributions, package.predict(asked, pred_contrib=True))
    assert contributions.sum(axis=1) == pytest.approx(library.predict(asked), abs=1e-12)


def test_a_text_that_is_no_model_is_told():
    with pytest.raises(DataError, match="LightGBM cannot use this model: "):
        TreeLibraryModel("tree\nnothing of a model")


def test_another_number_of_features_is_told():
    with pytest.raises(DataError, match="number of features"):
        TreeLibraryModel(TEXT).predict(VALUES[:2, :5])


def test_a_model_that_is_dropped_is_freed(monkeypatch):
    freed = []
    monkeypatch.setattr(lightgbm_library._library(), "LGBM_BoosterFree", freed.append)
    model = TreeLibraryModel(TEXT)
    gone, handle = weakref.ref(model), model._handle.value
    del model
    gc.collect()
    assert gone() is None and [one.value for one in freed] == [handle]


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setattr(lightgbm_library, "find_spec", lambda _: None)
    lightgbm_library._library.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="not installed"):
            TreeLibraryModel(TEXT)
    finally:
        lightgbm_library._library.cache_clear()
