"""The steps from features to a forecast, as commands on a folder."""

import dataclasses
import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.cli import main
from chronos_volatility.gate import canary, champion
from chronos_volatility.gate import run as gate
from chronos_volatility.models import artifact, training
from chronos_volatility.serving.models import Models
from chronos_volatility.settings import OFFLINE, SYNTHETIC
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import NOW, DyingStorage, Killed
from tests.volatility.panels import walk

MARKET = walk(2200, seed=11, last="2018-12-14")
BEFORE = MARKET[MARKET["date"] <= "2018-12-07"]
TRAIN = ("train", "--candidate", "log-har", "--candidate", "log-har-x")
CHAIN = (("features",), ("labels",), TRAIN, ("gate",), ("infer",))


def fill(storage: FolderStorage, market: pd.DataFrame = BEFORE, **changes: object) -> FolderStorage:
    storage.create(settings_of.KEY, dataclasses.replace(OFFLINE, **changes).to_json())
    tables.write(storage, tables.MARKET_DAILY, market.sort_values(["date", "symbol"], ignore_index=True), now=NOW)
    return storage


def command(storage: FolderStorage, *words: str, now: str = "2018-12-10T12:00+00:00") -> int:
    return main([*words, "--data", str(storage.folder), "--now", now])


def contents(storage: FolderStorage) -> dict[str, int]:
    return {key: (storage.folder / key).stat().st_mtime_ns for key in storage.keys("")}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> FolderStorage:
    storage = fill(FolderStorage(tmp_path_factory.mktemp("done") / "data"))
    for words in CHAIN:
        assert command(storage, *words) == 0
    return storage


@pytest.fixture
def chained(done, tmp_path) -> FolderStorage:
    def place(source: str, target: str) -> None:
        """Partitions are never changed, so a link to them is a copy."""
        (os.link if source.endswith(".parquet") else shutil.copyfile)(source, target)

    shutil.copytree(done.folder, tmp_path / "copy", copy_function=place)
    return FolderStorage(tmp_path / "copy")


def test_the_chain_ends_in_a_forecast_of_the_champion(chained):
    found = tables.read(chained, tables.PREDICTIONS)
    assert found["date"].tolist() == [pd.Timestamp("2018-12-07")]
    row = found.iloc[0]
    assert row["model_version"] == champion.current(chained).version
    assert row["model_version"].startswith("log-har-x-20181207-")
    assert sum(one["contribution"] for one in row["drivers"]) == pytest.approx(np.log(row["rv_5d_hat"]), abs=1e-9)
    assert len(row["top_drivers"]) == 3
    model = artifact.load(chained, row["model_version"])
    assert model.training_digest == training.load(chained, training.latest(chained)).training_digest
    assert artifact.load(chained, model.fallback).forecaster.specification == "log-har"


def test_a_second_run_writes_nothing(chained, capsys):
    before = contents(chained)
    for words in CHAIN:
        assert command(chained, *words, now="2018-12-10T13:00+00:00") == 0
    assert contents(chained) == before
    said = capsys.readouterr().out
    assert "features_daily: 0 sessions written" in said
    assert "This was decided before; nothing was written." in said
    assert "was there already" in said
    assert "log-har uses ln_parkinson_1, ln_parkinson_5, ln_parkinson_20\n" in said


def test_a_new_day_is_a_day(chained, capsys):
    new = MARKET[MARKET["date"] == "2018-12-10"]
    tables.write(chained, tables.MARKET_DAILY, new.sort_values("symbol", ignore_index=True), now=NOW)
    for words in (("features",), ("labels",), ("infer",)):
        assert command(chained, *words, now="2018-12-11T12:00+00:00") == 0
    said = capsys.readouterr().out
    assert "features_daily: 1 sessions written, 0 corrected" in said
    assert "labels_daily: 1 sessions written, 0 corrected" in said
    assert tables.read(chained, tables.PREDICTIONS)["date"].iloc[-1] == pd.Timestamp("2018-12-10")


def test_a_corrected_price_corrects_what_was_made_from_it(chained, capsys):
    day = pd.Timestamp("2018-10-10")
    rows = BEFORE[BEFORE["date"] == day].sort_values("symbol", ignore_index=True)
    wider = rows["symbol"] == "SPX"
    rows.loc[wider, "high"] *= 1.02
    rows.loc[wider, "ret"] += 0.001
    tables.write(chained, tables.MARKET_DAILY, rows, reason="the vendor restated it", now=NOW)
    assert command(chained, "features", now="2018-12-11T12:00+00:00") == 0
    assert command(chained, "labels", now="2018-12-11T12:00+00:00") == 0
    said = capsys.readouterr().out
    assert "labels_daily: 0 sessions written, 5 corrected" in said
    after = tables.read(chained, tables.FEATURES)
    assert set(after.attrs["reasons"].values()) == {"prices in curated.market_daily were corrected"}
    assert str(day.date()) in {str(one)[:10] for one in after.attrs["reasons"]}
    before = contents(chained)
    assert command(chained, "features", now="2018-12-12T12:00+00:00") == 0
    assert command(chained, "labels", now="2018-12-12T12:00+00:00") == 0
    assert contents(chained) == before


def later(storage: FolderStorage) -> None:
    """A week on: prices, features, labels and a second training."""
    new = MARKET[MARKET["date"] > "2018-12-07"].sort_values(["date", "symbol"], ignore_index=True)
    tables.write(storage, tables.MARKET_DAILY, new, now=NOW)
    for words in (("features",), ("labels",), TRAIN):
        assert command(storage, *words, now="2018-12-15T12:00+00:00") == 0


def test_a_first_champion_that_fails_its_canary_leaves_log_har(chained, monkeypatch):
    for folder in ("gate", "models"):  # as before the first gate
        shutil.rmtree(chained.folder / folder)
    monkeypatch.setattr(canary, "RANGE", (0.4, 0.5))
    assert command(chained, "gate") == 1
    found = champion.current(chained)
    assert found.version.startswith("log-har-2018") and [one.action for one in found.history] == ["rollback"]


@pytest.mark.parametrize("changed", ["0", "f"])
def test_other_programs_train_the_same_rows_again(chained, monkeypatch, changed):
    first = training.latest(chained)
    monkeypatch.setattr(training, "recipe", lambda: changed)
    assert command(chained, *TRAIN) == 0
    assert len(training.runs(chained)) == 2
    second = training.latest(chained)
    assert second != first
    assert command(chained, "gate") == 0
    # The same models came out, so the champion stays.
    assert len(champion.current(chained).history) == 1
    monkeypatch.undo()
    assert training.latest(chained) == first


def test_a_refit_refreshes_the_champion(chained):
    later(chained)
    assert command(chained, "gate", now="2018-12-15T12:00+00:00") == 0
    found = champion.current(chained)
    assert [one.action for one in found.history] == ["promote", "refresh"]
    assert found.version.startswith("log-har-x-20181214-")


def test_a_champion_that_fails_its_canary_goes_at_once(chained, capsys, monkeypatch):
    first, since = champion.current(chained).version, champion.current(chained).since
    later(chained)
    monkeypatch.setattr(canary, "RANGE", (0.4, 0.5))
    capsys.readouterr()
    assert command(chained, "gate", now="2018-12-15T12:00+00:00") == 1
    said = capsys.readouterr().out
    assert "canary: 20 of 20 sessions failed" in said
    assert "ALARM: log-har-x-20181214-" in said
    found = champion.current(chained)
    assert {one.version for one in found.history} == {first} and found.since == since
    assert found.history[-1].action == "rollback"
    assert "failed in 100% of 20 sessions" in found.history[-1].reason
    # A second run neither promotes it again nor rolls anything back.
    before = contents(chained)
    assert command(chained, "gate", now="2018-12-15T13:00+00:00") == 1
    assert contents(chained) == before


# The decision, what the canary saw, the pointer: what is killed before the pointer leaves the model before it.
@pytest.mark.parametrize("passes", [True, False])
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_in_the_gate_one_whole_model_serves_and_the_next_run_finishes(chained, monkeypatch, writes, passes):
    if not passes:
        monkeypatch.setattr(canary, "RANGE", (0.4, 0.5))
    later(chained)
    name, first = training.latest(chained), champion.current(chained).version
    storage = DyingStorage(chained.folder, writes) if writes < 2 else DyingPointer(chained.folder)
    with pytest.raises(Killed):
        gate.judge(storage, name, now=NOW)
    assert len(chained.keys("gate/")) == 2 + writes  # and two of the first week
    assert Models(chained).check_golden() == first
    found = gate.judge(chained, name, now=NOW)
    assert found.new and found.canary["passed"] == passes
    chosen = found.record["chosen"]
    assert chosen != first and found.rolled_back_to == (None if passes else first)
    assert Models(chained).check_golden() == champion.current(chained).version == (chosen if passes else first)
    assert not gate.judge(chained, name, now=NOW).new


def test_a_decision_that_was_overtaken_is_made_again(chained):
    """Killed between its record and the promotion; then a person rolls back to another version."""
    later(chained)
    name = training.latest(chained)
    with pytest.raises(Killed):
        gate.judge(DyingPointer(chained.folder), name, now=NOW)
    assert json.loads(chained.read(f"gate/{name}.json"))["action"] == "refresh"
    spare = artifact.load(chained, champion.current(chained).version).fallback
    assert champion.rollback(chained, to=spare, reason="by hand", now=NOW) == spare
    found = gate.judge(chained, name, now=NOW)
    assert found.record["champion"] == spare
    assert chained.read(f"gate/{name}-2.json") is not None
    assert champion.current(chained).version == found.record["chosen"]
    assert not gate.judge(chained, name, now=NOW).new


class DyingPointer(FolderStorage):
    """Dies before it changes the champion; it can be read."""

    def pointer(self, key):
        found = super().pointer(key)
        found.write = self.die
        return found

    def die(self, *_: object) -> None:
        raise Killed


def test_rollback_by_hand_and_pin(chained, capsys, monkeypatch):
    first = champion.current(chained).version
    later(chained)
    assert command(chained, "gate", now="2018-12-15T12:00+00:00") == 0
    assert command(chained, "gate", "--rollback", "--reason", "people complained") == 0
    assert champion.current(chained).version == first
    spare = artifact.load(chained, first).fallback
    monkeypatch.setenv("MODEL_VERSION", spare)
    assert command(chained, "infer", now="2018-12-15T12:00+00:00") == 0
    assert tables.read(chained, tables.PREDICTIONS)["model_version"].iloc[-1] == spare


def test_where_the_vix_is_missing_log_har_forecasts(chained):
    new = MARKET[(MARKET["date"] == "2018-12-10") & (MARKET["symbol"] == "SPX")].reset_index(drop=True)
    tables.write(chained, tables.MARKET_DAILY, new, now=NOW)
    for words in (("features",), ("infer",)):
        assert command(chained, *words, now="2018-12-11T12:00+00:00") == 0
    row = tables.read(chained, tables.PREDICTIONS).iloc[-1]
    assert row["date"] == pd.Timestamp("2018-12-10")
    assert row["model_version"].startswith("log-har-2018")


def test_the_past_is_not_forecast_by_a_model_that_knows_it(chained, capsys):
    assert command(chained, "infer", "--date", "2018-12-03") == 2
    assert "knows what came after" in capsys.readouterr().err
    assert command(chained, "infer", "--date", "2018-12-08") == 2
    assert "no row of 2018-12-08" in capsys.readouterr().err
    assert command(chained, "infer", "--date", "soon") == 2


def test_leak_stored_features_that_know_later_prices_stop_the_training(chained, capsys):
    """The table has, with a reason, a feature of the session after: the training computes some rows again."""
    rows = tables.read(chained, tables.FEATURES)
    rows["return_1"] = rows["return_1"].shift(-1)
    tables.write(chained, tables.FEATURES, rows.iloc[:-1], reason="a better feature", now=NOW)
    before = contents(chained)
    assert command(chained, *TRAIN) == 2
    assert re.search(r"features_daily: return_1 of 20\d\d-.* is not what the prices up to", capsys.readouterr().err)
    written = {key.split("/")[0] for key in contents(chained).keys() - before.keys()}
    assert written <= {"snapshots", "training_sets"}


def test_made_up_prices_are_fitted_and_never_scored(storage, capsys):
    fill(storage, sources=(SYNTHETIC,))
    for words in CHAIN[:3]:
        assert command(storage, *words) == 0
    said = capsys.readouterr().out
    assert "QLIKE" not in said
    assert "they are never scored" in said
    assert command(storage, "gate") == 2
    assert "synthetic" in capsys.readouterr().err
    run = training.load(storage, training.latest(storage))
    assert run.scores == {}
    assert artifact.load(storage, run.versions["log-har"]).metrics == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("infer",), "Begin with `volatility ingest`|has no features"),
        (("features",), "has no data yet"),
        (("train",), "has no features"),
        (("gate",), "has no training"),
        (("gate", "--rollback"), "has no champion"),
    ],
)
def test_an_empty_folder_is_refused_in_a_sentence(storage, capsys, words, sentence):
    assert command(storage, *words) == 2
    assert re.search(sentence, capsys.readouterr().err)


def test_unknown_candidates_and_half_a_chronos_run_are_refused(chained, capsys):
    assert command(chained, "train", "--candidate", "oracle") == 2
    assert "There is no candidate 'oracle'" in capsys.readouterr().err
    assert command(chained, "train", "--chronos-run", "r1") == 2
    assert "belong together" in capsys.readouterr().err


def test_a_chronos_run_is_one_more_candidate(chained, tmp_path, capsys):
    series = tmp_path / "series.parquet"
    assert command(chained, "train", "--write-series", str(series), "--first", "2018-06-01") == 0
    origins = pd.read_parquet(series)["item_id"].unique()
    rows = [
        {"item_id": origin, "timestamp": day, "q0.5": -9.5}
        for origin in origins
        for day in pd.bdate_range(pd.Timestamp(origin) + pd.Timedelta(days=1), periods=5)
    ]
    table = tmp_path / "forecasts.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    words = ("--chronos-run", "run-7", "--chronos-forecasts", str(table), "--chronos-until", "2018-06-29")
    assert command(chained, *TRAIN, *words) == 0
    assert "chronos" in capsys.readouterr().out
    names = training.runs(chained)
    found = next(one for one in (training.load(chained, name) for name in names) if "chronos" in one.specifications)
    assert found.specifications["chronos"]["title"] == "chronos, run run-7"
    assert command(chained, "gate", "--training", found.name) == 0
    record = json.loads(chained.read(f"gate/{found.name}.json"))
    assert [one["rule"] for one in record["checks"] if one["candidate"] == "chronos" and not one["passed"]]
    assert command(chained, "train", "--write-series", str(series)) == 2


def test_the_record_of_the_gate_says_each_figure(chained):
    record = json.loads(chained.read(f"gate/{training.latest(chained)}.json"))
    assert record["action"] == "promote"
    assert record["decided_at"] == "2018-12-10T12:00:00Z"
    for one in record["checks"]:
        assert one["words"].endswith(": passed" if one["passed"] else ": refused")
        assert " wanted: " in one["words"] or one["rule"] == "serves"
    with pytest.raises(DataError, match="has no training 2000"):
        training.load(chained, "2000")


def test_killed_before_each_write_the_chain_is_completed(chained, tmp_path, monkeypatch):
    """One write an attempt, and then the process is gone: the tables and records end as those of a run that nobody kills."""
    new = MARKET[MARKET["date"] > "2018-12-07"]
    tables.write(chained, tables.MARKET_DAILY, new.sort_values(["date", "symbol"], ignore_index=True), now=NOW)
    whole = FolderStorage(tmp_path / "whole")
    shutil.copytree(chained.folder, whole.folder)
    moment, killed = "2018-12-17T12:00+00:00", 0
    for words in CHAIN:
        assert command(whole, *words, now=moment) == 0
        monkeypatch.setattr(
            "chronos_volatility.steps.options.open_storage", lambda place: DyingStorage(chained.folder, 1)
        )
        while True:
            try:
                assert command(chained, *words, now=moment) == 0
                break
            except Killed:
                killed += 1
        monkeypatch.undo()
    assert killed >= 10
    assert chained.keys("") == whole.keys("")
    for table in (tables.FEATURES, tables.LABELS, tables.PREDICTIONS):
        pd.testing.assert_frame_equal(tables.read(chained, table), tables.read(whole, table))
    assert champion.current(chained).version == champion.current(whole).version
