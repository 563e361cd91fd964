"""The process as the instance starts it: artifacts, exit codes, signals, and one sentence for every fault."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from chronos_training.training import checkpoints, train
from chronos_training.training.metadata import metadata_schema
from chronos_training.training.progress import Progress
from chronos_training.training.seeds import FOLDER
from chronos_training.training.spec import TrainingSpec
from chronos_training.training.stopping import Stopped, StopRequest
from tests.run_specs import DATASET
from tests.training import warm_process
from tests.training.conftest import command, environment, start, tiny, write_spec


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a whole run, made by the process itself."""
    folder = tmp_path_factory.mktemp("run")
    spec = write_spec(folder / "run_spec.json", tiny(), run_id="20260502-093000", git_commit="f" * 40)
    done = start(spec, data, folder / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step 8/8  loss" in done.stdout and "samples/s  eta 0:00" in done.stdout
    assert "%|" not in done.stdout + done.stderr  # no progress bars
    return folder / "out"


def test_every_artifact_is_there(finished: Path) -> None:
    expected = {
        "models/tiny/config.json", "models/tiny/model.safetensors", "evaluation/metrics.json", "evaluation/per_series.csv",
        "evaluation/forecasts.parquet", "model_metadata.json", "report.html", "loss.csv", "progress.json",
        "checkpoints/checkpoint-8/optimizer.pt", "checkpoints/checkpoint-8/complete.json",
    }  # fmt: skip
    assert expected <= {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    assert json.loads((finished / "progress.json").read_text())["phase"] == "reporting"


def test_metadata_has_the_keys_of_its_schema(finished: Path) -> None:
    """The full validation is in tests/unit/training; here the real run's file is held against the schema's names."""
    metadata, schema = json.loads((finished / "model_metadata.json").read_text()), metadata_schema()
    assert set(metadata) == set(schema["required"])
    for key in ("dataset", "model", "lineage", "metrics", "validation", "cost", "runtime"):
        assert (
            set(schema["properties"][key]["required"])
            <= set(metadata[key])
            <= set(schema["properties"][key]["properties"])
        )
    assert metadata["git_commit"] == "f" * 40 and metadata["versions"]["chronos"] == "2.3.2"


def adopted(**model: Any) -> Any:
    """The tiny configuration, starting from the finished run's model."""
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    return tiny(model={"initialization": "pretrained", "base": "tiny", "levels": levels, **model})


def losses(output: Path) -> list[float]:
    return [float(line.split(",")[1]) for line in (output / "loss.csv").read_text().splitlines()[1:]]


def test_a_training_from_published_weights_goes_on_where_they_are(finished: Path, data: Path, tmp_path: Path) -> None:
    base = {"name": "tiny", "family": "chronos2", "digest": "d" * 64, "revision": None, "prefix": "x", "files": []}
    spec = write_spec(tmp_path / "run_spec.json", adopted(), base_model=base)
    done = start(spec, data, tmp_path / "out", "--base-model", str(finished / "models/tiny"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert losses(tmp_path / "out")[0] < losses(finished)[0]
    lineage = json.loads((tmp_path / "out/model_metadata.json").read_text())["lineage"]
    assert lineage["initialization"] == "pretrained"
    assert lineage["base_model"] == {"name": "tiny", "family": "chronos2", "digest": "d" * 64, "revision": None}
    assert "starting from tiny (dddddddddddd)" in (tmp_path / "out/report.html").read_text()


def test_weights_that_are_not_as_configured_are_one_sentence(finished: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = [
        (adopted(), tmp_path / "empty", "is not a Chronos-2 model that can be loaded"),
        (adopted(patch_size=14), finished / "models/tiny", "model.patch_size is 14, but the model in"),
        (adopted(), None, "gives no folder with weights"),
    ]
    for config, folder, said in cases:
        spec = write_spec(tmp_path / "run_spec.json", config)
        words = [*command(spec, data, tmp_path / "out"), *(["--base-model", str(folder)] if folder else [])]
        done = warm_process.run(words[2], words[3:])
        assert done.returncode == 2
        assert said in done.stderr.splitlines()[-1]


def test_forecasts_file_agrees_with_the_metrics(finished: Path) -> None:
    table = pq.read_table(finished / "evaluation/forecasts.parquet").to_pandas()
    assert len(table) == 4 * 2 * 7
    pinball = sum(
        2 * np.maximum(q * (table["actual"] - table[f"q{q:g}"]), (q - 1) * (table["actual"] - table[f"q{q:g}"])).sum()
        for q in (0.1, 0.5, 0.9)
    )
    metrics = json.loads((finished / "evaluation/metrics.json").read_text())
    assert metrics["aggregate"]["model"]["wql"] == pytest.approx(pinball / (3 * table["actual"].abs().sum()))


RELOAD = """
import json, os, sys, torch
from chronos import BaseChronosPipeline
def forecast(folder):
    torch.manual_seed(0)
    pipeline = BaseChronosPipeline.from_pretrained(folder)
    context = torch.arange(28.0) % 7 + torch.linspace(0, 1, 28)
    quantiles, _ = pipeline.predict_quantiles([context], prediction_length=7, quantile_levels=[0.1, 0.5, 0.9])
    return [type(pipeline).__name__, torch.as_tensor(quantiles[0]).flatten().tolist()]
here = forecast(sys.argv[1])
os.rename(sys.argv[1], sys.argv[2])
print(json.dumps([here, forecast(sys.argv[2])]))
"""
PIPELINES = {"chronos2": "Chronos2Pipeline", "chronos_bolt": "ChronosBoltPipeline", "chronos_t5": "ChronosPipeline"}


def reloaded(folder: Path, moved: Path) -> tuple[Any, Any]:
    """What upstream makes of a model folder, and of the same once it was moved, without a line of ours."""
    plain = {k: v for k, v in environment().items() if k != "PYTHONPATH"}
    words = [sys.executable, "-c", RELOAD, str(folder), str(moved)]
    out = subprocess.run(words, capture_output=True, text=True, env=plain, check=True)
    here, there = json.loads(out.stdout.splitlines()[-1])
    return here, there


# Of the adapters one family each time: they are merged into the weights before any family stores its own.
@pytest.mark.parametrize(
    ("family", "method"),
    [
        *((family, "full") for family in PIPELINES),
        *(pytest.param(family, "lora", marks=() if family == "chronos2" else pytest.mark.long) for family in PIPELINES),
    ],
)
def test_upstream_loads_the_model_from_a_moved_folder(data: Path, tmp_path: Path, family: str, method: str) -> None:
    config = tiny(model={"family": family}, training={"method": method})
    done = start(write_spec(tmp_path / "s.json", config), data, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "elsewhere"
    here, there = reloaded(tmp_path / "out/models/tiny", folder)
    assert there == here
    name, values = here
    assert name == PIPELINES[family] and len(values) == 21 and np.isfinite(values).all()
    assert not list(folder.glob("adapter*")) and "# tiny" in (folder / "README.md").read_text()


def test_sigterm_saves_the_step_and_exits_143_and_the_next_start_goes_on(data: Path, tmp_path: Path) -> None:
    config = tiny(training={"steps": 100_000, "checkpoint_every_steps": 1_000_000, "log_every_steps": 1000})
    spec = write_spec(tmp_path / "s.json", config)
    process = subprocess.Popen(
        command(spec, data, tmp_path / "out"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        wait_for(lambda: progress(tmp_path / "out").get("step", 0) >= 5)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode == 143, output
    assert "Traceback" not in output and "ERROR" not in output
    (step,) = checkpoints.steps_in(tmp_path / "out/checkpoints")
    marker = json.loads((tmp_path / f"out/checkpoints/checkpoint-{step}/complete.json").read_text())
    found, skipped = checkpoints.complete(tmp_path / "out/checkpoints", marker["fingerprint"])
    assert found == [step] and step >= 5 and skipped == []
    assert not (tmp_path / "out/checkpoints" / checkpoints.PARTIAL).exists()


def wait_for(condition: Any, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def progress(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    except OSError:
        return {}
    return content


def run_here(spec: Path, data: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run `main` in this process (saves the import of torch) and return exit code and the last line of stderr."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        code = train.main(["--spec", str(spec), "--data", str(data), "--output", str(output)])
    finally:
        signal.signal(signal.SIGTERM, handler)
    err = capsys.readouterr().err
    assert (code == 1) == ("Traceback" in err)
    return code, err.strip().splitlines()[-1]


def copy(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data, tmp_path / "data"))


def test_a_corrupt_file_is_one_sentence_and_exit_2(data: Path, tmp_path: Path) -> None:
    folder = copy(data, tmp_path)
    path = folder / "2020/03/part-0.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    done = start(write_spec(tmp_path / "s.json", tiny()), folder, tmp_path / "out")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ERROR: ") and "2020/03/part-0.parquet: sha256" in last and "corrupt" in last
    assert "Traceback" not in done.stderr


def test_faults_that_a_person_can_mend(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "s.json"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"config": tiny(model={"context_length": 140})}, "model.context_length: 140 is longer than the series allow"),
        ({"config": tiny(dataset={"targets": ["sales"]})}, "no column 'sales'"),
        ({"config": tiny(training={"precision": "fp16"})}, "training.precision: fp16 needs a GPU"),
        ({"config": tiny(dataset={"name": "other"})}, "dataset.name: 'other' is configured"),
        (
            {"config": tiny(), "dataset": asdict(replace(DATASET, digest="0" * 64))},
            "was launched with dataset digest 000000000000",
        ),
        ({"config": tiny(), "training": {"model": {"familly": "x"}}}, "training.model.familly: unknown key"),
        ({"config": tiny(), "device": "tpu"}, "device: 'tpu' is not allowed"),
    ]
    if not torch.cuda.is_available():
        cases.append(({"config": tiny(), "device": "cuda"}, "torch finds no GPU here"))
    for change, says in cases:
        write_spec(spec, **change)
        code, last = run_here(spec, data, tmp_path / "out", capsys)
        assert code == 2 and last.startswith("ERROR: ") and says in last, last
    code, last = run_here(write_spec(spec, tiny()), tmp_path / "absent", tmp_path / "out", capsys)
    assert code == 2 and "the dataset has no manifest" in last
    assert not (tmp_path / "out/models").exists()


def test_a_run_that_is_stopped_once_its_model_is_stored_leaves_a_whole_model(data: Path, tmp_path: Path) -> None:
    """Before its evaluation, and before further seeds, which may take hours: what it forecasts is beside the weights."""
    from chronos_training.families import task
    from chronos_training.training import session

    stop = StopRequest()

    class Stops(Progress):
        def phase(self, name: str, message: str) -> None:
            super().phase(name, message)
            stop.requested = stop.requested or name == "storing"

    config = tiny(evaluation={"seeds": 2})
    with pytest.raises(Stopped):
        session.run(TrainingSpec.of(config, "cpu"), data, tmp_path, Stops(tmp_path / "progress.json"), stop)
    model = tmp_path / "models/tiny"
    assert (model / "model.safetensors").is_file() and not (tmp_path / FOLDER).exists()
    assert json.loads((model / task.FILE).read_text(encoding="utf-8"))["prediction_length"] == 7


def test_the_unexpected_gives_a_traceback_and_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from chronos_training.families import weights

    def broken(*arguments: Any) -> None:
        raise RuntimeError("no more\nmemory")

    monkeypatch.setattr(weights, "make_model", broken)
    code, last = run_here(write_spec(tmp_path / "s.json", tiny()), data, tmp_path / "out", capsys)
    assert (code, last) == (1, "ERROR: RuntimeError: no more memory")
