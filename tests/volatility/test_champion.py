"""The champion's pointer: promotion, history, rollback, pin, and two who change it at once."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chronos_training.core.errors import ConfigurationError, DataError, TrainingError
from chronos_volatility.gate import canary, champion
from chronos_volatility.models import artifact
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.models.har import fit_har
from chronos_volatility.models.trees import fit_trees
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import NOW
from tests.volatility.panels import design_of, walk

DESIGN = design_of(walk(700))
MODEL = Artifact(
    fit_har(DESIGN, len(DESIGN)), "SPX", "2018-12-07", "1", "0" * 64, len(DESIGN), {"qlike": 0.3}, {"0.5": 1.0}
)


@pytest.fixture
def versions(storage):
    return [artifact.save(storage, dataclasses.replace(MODEL, sessions=count)) for count in (1, 2, 3)]


def promote(storage, version, expected, decision=""):
    return champion.promote(
        storage, version, action="promote", reason="why", now=NOW, decision=decision, expected=expected
    )


def test_the_history_tells_every_change(storage, versions):
    assert champion.current(storage) is None
    assert promote(storage, versions[0], None)
    assert promote(storage, versions[1], versions[0], "run-1")
    assert not promote(storage, versions[1], versions[0], "run-1")  # again: nothing is written
    assert champion.rollback(storage, reason="it was worse", now=NOW) == versions[0]
    found = champion.current(storage)
    assert [(one.version, one.action) for one in found.history] == [
        (versions[0], "promote"), (versions[1], "promote"), (versions[0], "rollback"),
    ]  # fmt: skip
    # The decision was carried out once; after a rollback it is not carried out again.
    assert not promote(storage, versions[1], versions[0], "run-1")
    assert champion.serving(storage, {}) == versions[0]


def test_rollback_to_any_version(storage, versions):
    promote(storage, versions[0], None)
    promote(storage, versions[1], versions[0])
    assert champion.rollback(storage, to=versions[2], reason="by hand", now=NOW) == versions[2]
    assert champion.rollback(storage, to=versions[2], reason="again", now=NOW) == versions[2]
    assert len(champion.current(storage).history) == 3
    with pytest.raises(DataError, match="no model nothing-1 is stored"):
        champion.rollback(storage, to="nothing-1", reason="", now=NOW)


def test_there_must_be_one_to_go_back_to(storage, versions):
    with pytest.raises(ConfigurationError, match="has no champion"):
        champion.rollback(storage, reason="", now=NOW)
    promote(storage, versions[0], None)
    with pytest.raises(ConfigurationError, match="is the first champion"):
        champion.rollback(storage, reason="", now=NOW)


def test_a_decision_against_another_champion_does_not_hold(storage, versions):
    promote(storage, versions[0], None)
    with pytest.raises(TrainingError, match=f"no longer {versions[1]}"):
        promote(storage, versions[2], versions[1])
    assert champion.current(storage).version == versions[0]


def test_of_many_at_once_one_wins(storage, versions):
    promote(storage, versions[0], None)

    def attempt(version):
        try:
            return promote(storage, version, versions[0])
        except TrainingError:
            return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, [versions[1], versions[2]] * 4))
    assert sum(won) == 1
    assert len(champion.current(storage).history) == 2


def test_the_environment_pins_a_version(storage, versions):
    with pytest.raises(ConfigurationError, match="no model passed the gate yet"):
        champion.serving(storage, {})
    promote(storage, versions[0], None)
    assert champion.serving(storage, {"MODEL_VERSION": versions[2]}) == versions[2]
    assert champion.serving(storage, {"MODEL_VERSION": " "}) == versions[0]


def test_a_damaged_pointer_is_named(storage, versions):
    promote(storage, versions[0], None)
    path = storage.folder / champion.KEY
    for body in (b"{", b"[]", b'{"version": "x", "history": []}'):
        path.write_bytes(body)
        with pytest.raises(DataError, match=r"champion\.json is damaged"):
            champion.current(storage)


def test_an_artifact_is_immutable_and_named_by_its_content(storage):
    trees = dataclasses.replace(MODEL, forecaster=fit_trees(DESIGN, len(DESIGN)), fallback="log-har-1")
    version = artifact.save(storage, trees)
    assert version.startswith("log-har-x-trees-20181207-")
    before = storage.keys("")
    assert artifact.save(storage, trees) == version
    assert storage.keys("") == before
    again = artifact.load(storage, version)
    assert again.body() == trees.body()
    assert again.forecaster.trees == trees.forecaster.trees
    values = DESIGN.columns(trees.forecaster.names)[-5:]
    assert np.array_equal(again.forecaster.rv_5d(values), trees.forecaster.rv_5d(values))
    assert artifact.versions(storage) == [version]


@pytest.mark.parametrize("file", ["model.json", "trees.txt"])
def test_a_damaged_artifact_is_refused(storage, file):
    version = artifact.save(storage, dataclasses.replace(MODEL, forecaster=fit_trees(DESIGN, len(DESIGN))))
    path = storage.folder / "artifacts" / "model" / version / file
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"7", b"8", 1))
    with pytest.raises(DataError, match="is damaged: it is not what its name tells"):
        artifact.load(storage, version)
    path.unlink()
    with pytest.raises(DataError):
        artifact.load(storage, version)


def test_a_name_must_be_one(storage: FolderStorage):
    with pytest.raises(DataError, match="is not a version"):
        artifact.load(storage, "../champion")
    body = json.loads(MODEL.body())
    assert body["training_digest"] == "0" * 64


ROWS = [np.array([0.02])] * 20
DAYS = [f"2018-11-{day:02d}" for day in range(1, 21)]


def failing_at(*places: int, how: float | type[Exception] = float("nan")) -> canary.Predict:
    count = iter(range(1000))

    def predict(row: np.ndarray) -> float:
        if next(count) not in places:
            return 0.02
        if isinstance(how, float):
            return how
        raise how("broken")

    return predict


@pytest.mark.parametrize("how", [float("nan"), float("inf"), 0.0009, 0.51, 0.0601, RuntimeError])
def test_more_than_one_failure_in_twenty_ends_the_canary(how):
    def old(row: np.ndarray) -> float:
        return 0.02

    one = canary.watch(DAYS, ROWS, failing_at(3, how=how), old)
    assert (len(one.failures), one.passed) == (1, True)
    two = canary.watch(DAYS, ROWS, failing_at(3, 9, how=how), old)
    assert (len(two.failures), two.passed) == (2, False)
    assert two.failures[0].session == DAYS[3]
    assert two.to_dict()["share"] == 0.1


def test_the_old_model_is_no_yardstick_when_it_fails_itself():
    assert canary.watch(DAYS, ROWS, failing_at(), failing_at(*range(20), how=RuntimeError)).passed
    assert canary.watch(DAYS, ROWS, failing_at(), None).passed
    assert not canary.watch([], [], failing_at(), None).passed
