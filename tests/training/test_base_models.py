"""The packaged base models: zero-shot in one command, and the start of a training on little data that says nothing about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from chronos_training.base_models import folder_of, names
from chronos_training.cli.main import main

SEASON, HORIZON, SERIES = 7, 14, 8


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Daily series with a weekly pattern, 17 weeks of it."""
    random, frames = np.random.default_rng(0), []
    for i in range(SERIES):
        pattern = 100 + 30 * np.sin(2 * np.pi * (np.arange(17 * SEASON) + i) / SEASON)
        stamps = pd.date_range("2020-01-01", periods=len(pattern))
        target = pattern + random.normal(scale=5, size=len(pattern))
        frames.append(pd.DataFrame({"item_id": f"s{i}", "timestamp": stamps, "target": target}))
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", params=["chronos2", "chronos_bolt"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "mine.yaml"
    sections = {
        "name": "mine", "dataset": {"name": "patterns"}, "forecast": {"prediction_length": HORIZON},
        "model": {"family": request.param}, "evaluation": {"windows": 2, "baselines": ["zero_shot"]},
        "training": {"steps": 8, "warmup_steps": 1, "checkpoint_every_steps": 4},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(sections))
    return path


def name_for(config: Path) -> str:
    bolt = yaml.safe_load(config.read_text())["model"]["family"] == "chronos_bolt"
    return next(name for name in names() if ("bolt" in name) == bolt)


def test_zero_shot_forecasts_are_of_the_series(panel: Path, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "forecasts.csv"
    words = [
        "forecast",
        name_for(config),
        "--data",
        str(panel),
        "--output",
        str(file),
        "--prediction-length",
        str(HORIZON),
    ]
    assert main(words) == 0
    table, past = pd.read_csv(file), pd.read_csv(panel)
    for item, one in table.groupby("item_id"):
        history = past.loc[past["item_id"] == item, "target"].to_numpy()
        if "bolt" in name_for(config):  # it knows levels and spread, and hardly any season (its model card)
            assert abs(one["q0.5"].mean() - history.mean()) < 10
            assert (one["q0.9"] - one["q0.1"]).mean() > history.std()
        else:
            assert np.corrcoef(one["q0.5"], history[-HORIZON:])[0, 1] > 0.7
        assert (one["q0.1"] <= one["q0.5"]).all() and (one["q0.5"] <= one["q0.9"]).all()


def test_zero_shot_is_evaluated_on_windows_that_no_training_saw(panel: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", name_for(config), str(config), "--data", str(panel), "--output", str(out)]) == 0
    scores = json.loads((out / "metrics.json").read_text())
    assert scores["windows_of_training"] is None and scores["aggregate"]["model"]["wql"] > 0


def test_a_training_on_little_data_starts_from_the_base_model_and_is_compared_with_it(
    panel: Path, config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["train", str(config), "--data", str(panel), "--output", str(out)]) == 0
    assert "model.initialization auto -> pretrained: " in capfd.readouterr().out
    about = json.loads((out / "model_metadata.json").read_text())
    assert about["lineage"]["base_model"]["name"] == name_for(config)
    assert "zero_shot" in about["validation"]["verdicts"]
    assert name_for(config) in (out / "report.html").read_text()


@pytest.mark.parametrize("refit", [False, True])
def test_a_fine_tuning_that_makes_it_worse_keeps_the_base_model(
    panel: Path, config: Path, tmp_path: Path, refit: bool
) -> None:
    spoilt, out = tmp_path / "spoilt.yaml", tmp_path / "out"
    how = {"learning_rate": 0.5, "validation_windows": 1, "refit": refit}
    spoilt.write_text(yaml.safe_dump({"training": how}))
    assert main(["train", str(config), str(spoilt), "--data", str(panel), "--output", str(out)]) == 0
    kept, base = (
        load_file(out / "models/mine/model.safetensors"),
        load_file(folder_of(name_for(config)) / "model.safetensors"),
    )
    assert all(np.array_equal(kept[key], base[key]) for key in base)
    about = json.loads((out / "model_metadata.json").read_text())
    assert about["model"]["chosen_step"] == 0 and about["validation"]["verdicts"]["zero_shot"]["relative_wql"] == 1.0
    assert f"was better on the validation windows than {name_for(config)}" in (out / "report.html").read_text()
    assert "as it is, because no step" in (out / "models/mine/README.md").read_text()
