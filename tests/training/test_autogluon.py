"""AutoGluon as the second kind of training: a real run on small data, and everything that is made from it."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from autogluon.timeseries import TimeSeriesPredictor

from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.prepare import prepare
from chronos_training.families import family
from chronos_training.families.task import read_task
from chronos_training.training.autogluon import watch
from chronos_training.training.autogluon.fit import seconds_for_fit
from chronos_training.training.metadata import metadata_schema
from chronos_training.training.progress import Progress
from chronos_training.training.stopping import StopRequest
from tests.training.conftest import command, environment, start_fresh, tiny, write_spec

BASE = {"name": "little", "family": "chronos2", "digest": "b" * 64, "revision": None}


def small(**sections: dict[str, Any]) -> TrainingConfig:
    """A fit of some seconds; sections replace keys."""
    wanted: dict[str, Any] = {
        "name": "small",
        "dataset": {"name": "weekly"},
        "forecast": {"prediction_length": 7, "quantile_levels": [0.1, 0.5, 0.9]},
        "model": {"family": "autogluon"},
        "autogluon": {"models": ["Naive", "SeasonalNaive"], "time_limit_minutes": 2.0},
        "evaluation": {"windows": 2, "report_series": 2, "baselines": ["naive", "zero_shot"]},
    }
    for name, keys in sections.items():
        wanted[name] = {**wanted.get(name, {}), **keys}
    return TrainingConfig.model_validate(wanted)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chronos-2 weights as publish_model takes them: tiny and random."""
    folder = tmp_path_factory.mktemp("base") / "little"
    chronos2 = family("chronos2")
    chronos2.save(chronos2.build(tiny()), folder)
    return folder


def panel(folder: Path, columns: tuple[str, ...] = ("target", "past", "known"), scramble: tuple[str, ...] = ()) -> Path:
    """Four series of a weekly pattern that the known covariate foretells, and a gap; scrambled columns are others at the end."""
    frames, other = [], np.random.default_rng(99)
    for i in range(4):
        random = np.random.default_rng(i)
        known = random.integers(0, 2, 130) * 1.0
        table = pd.DataFrame(
            {
                "item_id": f"s{i}",
                "timestamp": pd.date_range("2020-01-01", periods=130, freq="D"),
                "target": 50 + 9 * (np.arange(130) % 7) + 20 * known + random.normal(size=130),
                "past": random.normal(size=130),
                "known": known,
            }
        )
        table.loc[40, "target"] = np.nan
        for column in scramble:
            table.loc[len(table) - 14 :, column] = other.normal(size=14) * 1e3
        frames.append(table[["item_id", "timestamp", *columns]])
    folder.mkdir(parents=True)
    pd.concat(frames).to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "weekly", folder / "dataset")
    return folder / "dataset"


def run(folder: Path, config: TrainingConfig, data: Path, *more: str, **spec: Any) -> dict[str, Any]:
    """Train to the end, and return the metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    done = start_fresh(write_spec(folder / "spec.json", config, **spec), data, folder / "out", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((folder / "out/model_metadata.json").read_text()))


@pytest.fixture(scope="module")
def finished(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with everything: covariates, tabular and local models, Chronos both ways, an ensemble."""
    folder = tmp_path_factory.mktemp("finished")
    config = small(
        dataset={"past_covariates": ["past"], "known_covariates": ["known"]},
        model={"initialization": "pretrained", "base": "little"},
        autogluon={
            "models": {"SeasonalNaive": None, "ETS": {}, "DirectTabular": {"max_num_items": 3}},
            "fine_tune_steps": 40, "fine_tune_learning_rate": 0.003, "fine_tune_context_length": 28,
        },
    )  # fmt: skip
    run(folder, config, panel(folder / "data"), "--base-model", str(base), base_model=BASE)
    return folder / "out"


@pytest.fixture(scope="module")
def about(finished: Path) -> dict[str, Any]:
    return dict(json.loads((finished / "model_metadata.json").read_text()))


def test_the_metadata_fits_its_schema_and_has_the_leaderboard(about: dict[str, Any]) -> None:
    # The full validation is in tests/unit/training; here the real run's file is held against the schema's names.
    model = metadata_schema()["properties"]["model"]
    assert set(about["model"]) == set(model["required"])
    assert set(about["model"]["autogluon"]) == set(model["properties"]["autogluon"]["required"])
    rows = about["model"]["autogluon"]["leaderboard"]
    names = {row["model"] for row in rows}
    assert names == {
        "SeasonalNaive", "ETS", "DirectTabular", "Chronos2ZeroShot", "Chronos2FineTuned", "WeightedEnsemble",
    }  # fmt: skip
    # Errors, not AutoGluon's turned scores; the best of them first.
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores) and scores[0] > 0
    assert [row["chosen"] for row in rows] == [True] + [False] * 5
    assert sum(row["weight"] or 0 for row in rows) == pytest.approx(1.0, abs=0.01)
    tuned, plain = (
        next(row["score"] for row in rows if row["model"] == name) for name in ("Chronos2FineTuned", "Chronos2ZeroShot")
    )
    assert tuned < plain
    assert about["lineage"]["base_model"] == BASE
    # The known covariate foretells what seasonal naive cannot see, and the weights of the base are random.
    verdicts = about["validation"]["verdicts"]
    assert verdicts["zero_shot"]["relative_wql"] < 0.5 and verdicts["seasonal_naive"]["relative_wql"] < 0.8


def test_what_lies_on_disk(finished: Path) -> None:
    names = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert {
        "report.html", "evaluation/metrics.json", "evaluation/forecasts.parquet", "evaluation/per_series.csv",
        "models/small/predictor.pkl", "models/small/README.md", "models/small-chronos/model.safetensors",
    } <= names  # fmt: skip
    assert not any(".tmp" in name or "partial" in name for name in names)
    progress = json.loads((finished / "progress.json").read_text())
    assert progress["best_model"] == "WeightedEnsemble" and progress["total_steps"] == 6


def test_no_path_of_the_machine_is_kept(finished: Path, base: Path) -> None:
    there = [path for path in (finished / "models").rglob("*") if path.is_file()]
    for place in (finished, base.parent):
        assert [path for path in there if str(place).encode() in path.read_bytes()] == []
    assert not any(path.is_symlink() for path in (finished / "models").rglob("*"))


FORECAST = """
import sys
import pandas as pd
from autogluon.timeseries import TimeSeriesPredictor
predictor = TimeSeriesPredictor.load(sys.argv[1])
data = pd.read_csv(sys.argv[2], parse_dates=["timestamp"])
place = data.groupby("item_id").cumcount()
past, known = data[place < 123], data.loc[place >= 123, ["item_id", "timestamp", "known"]]
for name in sys.argv[4:]:
    predictor.predict(past, known_covariates=known, model=name).to_data_frame().to_csv(f"{sys.argv[3]}/{name}.csv")
"""


def test_a_moved_folder_is_loaded_by_autogluon_alone_in_a_fresh_process(
    finished: Path, base: Path, tmp_path: Path
) -> None:
    """The weights that it began with are out of reach, and what it forecasts is what was judged."""
    moved = tmp_path / "else where" / "model"
    moved.parent.mkdir()
    shutil.copytree(finished / "models/small", moved)
    hidden = {place: place.with_name(place.name + "-hidden") for place in (finished / "models", base)}
    for place, name in hidden.items():
        place.rename(name)
    try:
        models = ["WeightedEnsemble", "Chronos2ZeroShot", "Chronos2FineTuned"]
        words = [
            sys.executable,
            "-c",
            FORECAST,
            str(moved),
            str(finished.parent / "data/panel.csv"),
            str(tmp_path),
            *models,
        ]
        plain = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
        done = subprocess.run(words, capture_output=True, text=True, env=plain, cwd=tmp_path, timeout=240)
    finally:
        for place, name in hidden.items():
            name.rename(place)
    assert done.returncode == 0, done.stderr
    judged = pd.read_parquet(finished / "evaluation/forecasts.parquet").query("window == 1")
    again = pd.read_csv(tmp_path / "WeightedEnsemble.csv")
    np.testing.assert_allclose(judged["q0.5"], again["0.5"], rtol=1e-5)
    plain_chronos, tuned = (pd.read_csv(tmp_path / f"Chronos2{name}.csv") for name in ("ZeroShot", "FineTuned"))
    assert np.isfinite(plain_chronos["0.5"]).all() and not np.allclose(plain_chronos["0.5"], tuned["0.5"])


def test_the_fine_tuned_chronos_is_whole_and_a_later_run_starts_from_it(finished: Path, tmp_path: Path) -> None:
    exported = finished / "models/small-chronos"
    assert read_pretrained(exported).family == "chronos2"
    assert not (exported / "adapter_config.json").exists()
    whole, own = read_task(finished / "models/small"), read_task(exported)
    assert whole is not None and own is not None and own.family == "chronos2" and own.context_length > 0
    assert (own.prediction_length, own.datasets()) == (
        whole.prediction_length,
        whole.datasets(),
    )  # what it saw is known
    data = finished.parent / "data/dataset"
    config = small(
        model={"initialization": "pretrained", "base_run": "20260101-000000"},
        autogluon={"models": ["SeasonalNaive"], "chronos": ["zero_shot"], "ensemble": False},
    )
    given = {**BASE, "name": "small", "run_id": "20260101-000000"}
    later = run(tmp_path / "auto", config, data, "--base-model", str(exported), base_model=given)
    assert later["lineage"]["parent_run_id"] == "20260101-000000"
    rows = {row["model"]: row["score"] for row in later["model"]["autogluon"]["leaderboard"]}
    assert set(rows) == {"SeasonalNaive", "Chronos2ZeroShot"}
    assert later["model"]["autogluon"]["chronos"] is None  # nothing was fine-tuned
    further = tiny(
        dataset={"past_covariates": ["past"]}, model={"initialization": "pretrained", "base": "x", "dropout_rate": 0.1}
    )
    assert (
        run(tmp_path / "chronos", further, data, "--base-model", str(exported), base_model=given)["model"]["last_step"]
        == 8
    )


def test_the_report_has_the_leaderboard_and_no_empty_charts(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    for text in (
        "<h2>Models</h2>",
        "WeightedEnsemble, chosen",
        "TimeSeriesPredictor.load(folder)",
        "<h2>Calibration</h2>",
    ):
        assert text in page
    for text in ("<h2>Loss</h2>", "<h2>Learning rate</h2>", "samples/s", "None"):
        assert text not in page
    card = (finished / "models/small/README.md").read_text()
    assert "library_name: autogluon" in card and "TimeSeriesPredictor.load" in card and "None" not in card


# Three trainings of a minute together; that nothing held out is read is shown for all families by test_configs.
@pytest.mark.long
def test_nothing_of_the_future_is_seen(tmp_path: Path) -> None:
    """What lies after an origin is scrambled, and no forecast at that origin changes, but for the known covariate."""
    config = small(
        dataset={"past_covariates": ["past"], "known_covariates": ["known"]},
        autogluon={"models": {"DirectTabular": {}}},
        evaluation={"windows": 2, "baselines": []},
    )
    found = {}
    for case, scramble in (("real", ()), ("unseen", ("target", "past")), ("told", ("known",))):
        run(tmp_path / case, config, panel(tmp_path / f"{case}-data", scramble=scramble))
        table = pd.read_parquet(tmp_path / case / "out/evaluation/forecasts.parquet").query("window == 0")
        found[case] = table[["q0.1", "q0.5", "q0.9"]]
    pd.testing.assert_frame_equal(found["unseen"], found["real"])
    assert not np.allclose(found["told"], found["real"])


def test_presets_without_weights_say_what_they_leave_out() -> None:
    from chronos_training.training.autogluon.choice import hyperparameters

    models, notes = hyperparameters(small(autogluon={"models": None, "presets": "best_quality"}), None, "cpu")
    assert "DeepAR" in models and not {"Chronos2", "Toto2"} & set(models)
    assert notes == ["Chronos2, Toto2 of best_quality left out: their weights would have to be downloaded."]
    models, _ = hyperparameters(small(autogluon={"models": None}), "chronos2", "cpu")
    assert [entry.get("fine_tune", False) for entry in models["Chronos2"]] == [False, True]


def test_the_names_of_models_are_autogluons() -> None:
    from autogluon.timeseries import models

    from chronos_training.config.autogluon_section import FITTED_MODELS, PRETRAINED_MODELS

    names = {name.removesuffix("Model") for name in models.__all__ if name.endswith("Model")}
    assert {*FITTED_MODELS, *PRETRAINED_MODELS} == {*names, "Chronos-2"}  # its alias
    for name in FITTED_MODELS:
        assert models.ModelRegistry.get_model_class(name)


@pytest.mark.parametrize("how", [pytest.param("bolt", marks=pytest.mark.long), "full"])
def test_other_weights_and_ways_are_movable_too(tmp_path: Path, how: str) -> None:
    name = "chronos_bolt" if how == "bolt" else "chronos2"
    chronos = family(name)
    chronos.save(chronos.build(tiny(model={"family": name})), tmp_path / "base")
    config = small(
        model={"initialization": "pretrained", "base": "little"},
        autogluon={"models": ["Naive"], "fine_tune_steps": 2, "fine_tune_mode": "full", "validation_windows": 2},
    )
    given = {**BASE, "family": name}
    found = run(
        tmp_path,
        config,
        panel(tmp_path / "data", ("target",)),
        "--base-model",
        str(tmp_path / "base"),
        base_model=given,
    )
    assert read_pretrained(tmp_path / "out" / found["model"]["autogluon"]["chronos"]["path"]).family == name
    for path in (tmp_path / "out/models").rglob("*"):
        assert not path.is_file() or str(tmp_path).encode() not in path.read_bytes()


def test_a_stop_keeps_what_was_fitted(tmp_path: Path) -> None:
    """SIGTERM in the middle of a model that would go on for minutes: no evaluation, but a folder that loads and forecasts."""
    config = small(autogluon={"models": {"SeasonalNaive": {}, "DeepAR": {"max_epochs": 100_000}}})
    data = panel(tmp_path / "data", ("target",))
    output = tmp_path / "out"
    words = command(write_spec(tmp_path / "spec.json", config), data, output)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())
        try:
            while process.poll() is None and '"fitting": "DeepAR"' not in _text(output / "progress.json"):
                time.sleep(0.1)
            process.terminate()
            code = process.wait(timeout=60)
        finally:
            process.kill()
    assert code == 143, _text(tmp_path / "log")
    progress = json.loads(_text(output / "progress.json"))
    assert progress["best_model"] == "SeasonalNaive" and "used, at most" in progress["message"]
    found = TimeSeriesPredictor.load(str(output / "models/small"))
    assert found.model_names() == ["SeasonalNaive"]
    assert not (output / "model_metadata.json").exists()


def test_a_kill_leaves_a_folder_that_loads(tmp_path: Path) -> None:
    config = small(autogluon={"models": {"SeasonalNaive": {}, "DeepAR": {"max_epochs": 100_000}}})
    data, output = panel(tmp_path / "data", ("target",)), tmp_path / "out"
    with (tmp_path / "log").open("w") as log:
        words = command(write_spec(tmp_path / "spec.json", config), data, output)
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())
        while process.poll() is None and '"fitting": "DeepAR"' not in _text(output / "progress.json"):
            time.sleep(0.1)
        process.kill()
        process.wait()
    assert TimeSeriesPredictor.load(str(output / "models/small")).model_names() == ["SeasonalNaive"], _text(
        tmp_path / "log"
    )


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_the_fit_leaves_time_for_what_comes_after() -> None:
    config = small(autogluon={"time_limit_minutes": 60.0}, run={"max_runtime_hours": 1.0})
    assert seconds_for_fit(config, 120.0) == pytest.approx(0.8 * 3600 - 120)
    assert seconds_for_fit(small(), 120.0) == 120.0
    with pytest.raises(TrainingError, match="No time is left for AutoGluon"):
        seconds_for_fit(config, 3000.0)


def test_progress_is_whole_while_two_threads_tell_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the fit and the clock write the same file; a failure of one would be taken for a model's."""
    failed: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    monkeypatch.setattr(watch, "TICK_SECONDS", 0.0)
    caplog.set_level(logging.INFO, watch.LOGGER.name)
    progress = Progress(tmp_path / "progress.json")
    with watch.Watch(60.0, progress, StopRequest(), lambda: None):
        for number in range(2000):
            watch.LOGGER.info(
                "Training timeseries model M%d. Training for up to 1.0s of the 9.0s of remaining time.", number
            )
    assert not failed and json.loads((tmp_path / "progress.json").read_text())["fitting"] == "M1999"


def test_no_time_for_any_model_is_one_sentence(tmp_path: Path) -> None:
    config = small(autogluon={"models": ["DeepAR"], "time_limit_minutes": 1e-9})
    done = start_fresh(write_spec(tmp_path / "s.json", config), panel(tmp_path / "data", ("target",)), tmp_path / "out")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "ERROR: AutoGluon fitted no model within 0.0 minutes" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.rsplit("AutoGluon fitted", 1)[1]


def test_an_environment_without_it_is_one_sentence(tmp_path: Path) -> None:
    code = "import sys; sys.modules['autogluon'] = None\nfrom chronos_training.training.train import main; sys.exit(main())"
    words = command(write_spec(tmp_path / "s.json", small()), panel(tmp_path / "data", ("target",)), tmp_path / "out")
    words = [sys.executable, "-c", code, *words[words.index("--spec") :]]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=240)
    assert done.returncode == 2 and "AutoGluon is not installed in this environment" in done.stderr
    assert "training_runtime_kind=autogluon" in done.stderr and "Traceback" not in done.stderr


def chronos_training(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "chronos_training.cli", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=240)


def test_the_command_trains_evaluates_and_forecasts(tmp_path: Path) -> None:
    data = panel(tmp_path / "data", ("target",)).parent / "panel.csv"
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump(small(evaluation={"baselines": ["naive"]}).model_dump(mode="json")))
    done = chronos_training("validate-config", config)
    assert done.returncode == 0 and "autogluon, medium_quality, at most 2 minutes" in done.stdout
    out = tmp_path / "out"
    done = chronos_training("train", config, "--data", data, "--output", out)
    assert done.returncode == 0, done.stdout + done.stderr
    done = chronos_training("evaluate", out / "models/small", config, "--data", data, "--output", tmp_path / "scores")
    assert done.returncode == 0, done.stdout + done.stderr
    first, again = (pd.read_csv(f / "per_series.csv") for f in (out / "evaluation", tmp_path / "scores"))
    pd.testing.assert_frame_equal(first, again)
    table = tmp_path / "f.csv"
    done = chronos_training("forecast", out / "models/small", "--data", data, "--output", table)
    assert done.returncode == 0, done.stdout + done.stderr
    found = pd.read_csv(table)
    assert list(found.columns) == ["item_id", "timestamp", "q0.1", "q0.5", "q0.9"]
    assert len(found) == 4 * 7 and found["timestamp"].min() == "2020-05-10" and np.isfinite(found["q0.5"]).all()
    for words, says in (
        (["--prediction-length", "9"], "--prediction-length 9 is not allowed: the predictor in"),
        (["--levels", "0.2,0.5"], "0.2 is not among the levels of the predictor"),
    ):
        done = chronos_training("forecast", out / "models/small", "--data", data, "--output", table, *words)
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_a_predictor_with_covariates_forecasts_with_them(finished: Path, tmp_path: Path) -> None:
    """Without those of the horizon it is refused by name."""
    data, known, out = finished.parent / "data/panel.csv", tmp_path / "known.csv", tmp_path / "f.csv"
    words = ["forecast", finished / "models/small", "--data", data, "--output", out]
    done = chronos_training(*words)
    assert done.returncode == 2 and "needs known for the 7 observations" in done.stderr
    parts = [
        pd.DataFrame(
            {"item_id": f"s{i}", "timestamp": pd.date_range("2020-05-10", periods=7), "known": [0, 1] * 3 + [0]}
        )
        for i in range(4)
    ]
    pd.concat(parts).to_csv(known, index=False)
    done = chronos_training(*words, "--known", known)
    assert done.returncode == 0, done.stdout + done.stderr
    found = pd.read_csv(out)
    assert len(found) == 4 * 7 and found["timestamp"].min() == "2020-05-10" and np.isfinite(found["q0.5"]).all()
