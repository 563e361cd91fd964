"""A run recalibrates its quantiles on its validation windows, stores that with the model, and every later use applies it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from chronos_training.data.load import load_panel
from chronos_training.data.prepare import prepare
from chronos_training.evaluation.recalibration import FILE
from chronos_training.evaluation.validation_windows import validated
from chronos_training.families.task import Task
from tests.training.conftest import start, tiny, write_spec


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight series of 150 days with a weekly pattern and noise."""
    folder = tmp_path_factory.mktemp("panel")
    random, days = np.random.default_rng(0), pd.date_range("2020-01-01", periods=150, freq="D")
    week = 50 + 9 * (np.arange(150) % 7)
    parts = [
        pd.DataFrame({"item_id": f"s{i}", "timestamp": days, "target": week + 4 * random.normal(size=150)})
        for i in range(8)
    ]
    pd.concat(parts).to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "weekly", folder / "dataset")
    return folder / "dataset"


@pytest.mark.parametrize("refit", [False, True])
def test_what_a_run_recalibrates_is_stored_and_applied_by_evaluate(panel: Path, tmp_path: Path, refit: bool) -> None:
    config = tiny(
        training={"validation_windows": 2, "checkpoint_every_steps": 8, "refit": refit},
        evaluation={
            "recalibrate": "always", "baselines": ["auto_theta"], "combine": ["model", "auto_theta", "seasonal_naive"],
        },
    )  # fmt: skip
    output = tmp_path / "out"
    done = start(write_spec(tmp_path / "spec.json", config), panel, output)
    assert done.returncode == 0, done.stderr
    assert "Recalibrated on 112 observations of 8 series in 2 validation windows." in done.stdout
    scores = json.loads((output / "evaluation/metrics.json").read_text())
    said = scores["recalibration"]
    assert said["applied"] and said["coverage_before"] != scores["aggregate"]["model"]["coverage"]
    assert said["interval_coverage_before"] != scores["interval_coverage"]["coverage"]
    page = (output / "report.html").read_text()
    assert f"would cover {said['interval_coverage_before'] * 100:.1f} % of the observations" in page
    assert scores["combination"]["verdicts"]["model"]["sentence"] in page and "% of AutoTheta" in page
    assert scores["season_length"] == 7 and "the data repeat" in scores["season_reason"]
    assert json.loads((output / "model_metadata.json").read_text())["validation"]["recalibration"] == said
    together = scores["combination"]
    assert abs(sum(together["weights"].values()) - 1.0) < 1e-3 and together["weights"].get("auto_theta", 0.0) > 0.1
    assert together["verdicts"]["model"]["against"] == "model"
    assert scores["aggregate"]["combination"]["wql"] < scores["aggregate"]["model"]["wql"]  # of a model of eight steps
    model = output / "models/tiny"
    assert json.loads((model / FILE).read_text())["observations"] == 112

    from chronos_training.cli.main import main

    file = tmp_path / "config.json"
    file.write_text(json.dumps(config.model_dump(mode="json")))
    again = tmp_path / "again"
    words = ["evaluate", str(model), str(file), "--data", str(panel), "--output", str(again)]
    assert main(words) == 0
    other = json.loads((again / "metrics.json").read_text())
    assert other["recalibration"]["coverage_before"] == said["coverage_before"]
    assert other["aggregate"]["model"]["coverage"] == scores["aggregate"]["model"]["coverage"]
    table = pd.read_parquet(again / "forecasts.parquet")
    assert not any(name.startswith("combination") for name in table.columns)  # its weights are the run's
    pd.testing.assert_frame_equal(table, pd.read_parquet(output / "evaluation/forecasts.parquet")[table.columns])


def test_windows_that_the_base_model_was_trained_on_recalibrate_and_combine_nothing(panel: Path) -> None:
    how = tiny(
        training={"validation_windows": 2}, evaluation={"recalibrate": "always", "combine": ["model", "seasonal_naive"]}
    )
    loaded = load_panel(panel, ["target"])
    parent = Task.of(how, loaded)  # ends before the held-out part: it saw both validation windows

    def asked(*_: object) -> NoReturn:
        raise AssertionError("no forecast is needed")

    found = validated(asked, loaded, how, lambda: None, parent)
    assert (
        found.fitted.recalibration is None
        and "the base model was trained on the validation windows" in found.fitted.reason
    )
    assert found.combination is not None and found.combination.weights is None
    earlier = Task.of(tiny(evaluation={"windows": 4}), loaded)  # ends where the validation windows begin
    with pytest.raises(AssertionError):
        validated(asked, loaded, how, lambda: None, earlier)
