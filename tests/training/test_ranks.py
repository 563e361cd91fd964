"""Several processes: the same training as one, distinct data, and a lost process costs time only."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from tests.training.conftest import FAMILIES, command, environment, start, tiny, write_spec

TRAINING = {"steps": 8, "batch_size": 8, "log_every_steps": 1, "checkpoint_every_steps": 2, "validation_windows": 1}
MODEL = {"dropout_rate": 0.0}  # with dropout each process draws its own masks


def losses(output: Path) -> list[float]:
    with (output / "loss.csv").open() as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def weights(output: Path) -> dict[str, Any]:
    return dict(load_file(output / "models/tiny/model.safetensors"))


def spec_of(folder: Path, processes: int, family: str = "chronos2", **training: Any) -> Path:
    model, how = MODEL | {"family": family}, TRAINING | training
    config = tiny(model=model, training=how).model_copy(
        update={"run": tiny().run.model_copy(update={"processes": processes})}
    )
    return write_spec(folder / f"spec-{processes}.json", config)


@pytest.mark.parametrize("family", ["chronos2", *(pytest.param(one, marks=pytest.mark.long) for one in FAMILIES[1:])])
def test_two_processes_learn_what_one_learns_from_the_whole_batch(data: Path, tmp_path: Path, family: str) -> None:
    for processes in (1, 2):
        done = start(spec_of(tmp_path, processes, family), data, tmp_path / str(processes))
        assert done.returncode == 0, done.stdout + done.stderr
    # Equal to one process with the summed batch: had both drawn the same windows, it would be another loss.
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), rel=2e-3)
    assert not list((tmp_path / "2").glob("*.tmp"))


@pytest.mark.long
def test_a_lost_process_starts_again_from_the_checkpoint(data: Path, tmp_path: Path) -> None:
    slow = {"steps": 200, "checkpoint_every_steps": 20, "log_every_steps": 20, "warmup_steps": 2}
    spec = spec_of(tmp_path, 2, **slow)
    whole = start(spec, data, tmp_path / "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command(spec, data, tmp_path / "cut"), stdout=log, stderr=subprocess.STDOUT, env=environment()
        )
    try:
        wait_for(lambda: list((tmp_path / "cut/checkpoints").glob("checkpoint-[4-9]0")), process)
        worker(process, rank=1).kill()
        assert process.wait(120) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
    text = (tmp_path / "log").read_text()
    assert "resuming from checkpoint-" in text
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all((one[name] == two[name]).all() for name in one)


def test_a_stop_reaches_every_process_and_is_gone_on_from(data: Path, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, 2, steps=3000, log_every_steps=10, checkpoint_every_steps=1000)
    process = subprocess.Popen(command(spec, data, tmp_path / "o"), env=environment(), stdout=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: '"step": ' in progress(tmp_path / "o") and '"step": 0' not in progress(tmp_path / "o"), process
        )
        workers = [worker(process, rank) for rank in (0, 1)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        psutil.wait_procs(workers, timeout=60)
        assert not any(one.is_running() for one in workers)
    finally:
        process.kill()
    [checkpoint] = [path.name for path in (tmp_path / "o/checkpoints").glob("checkpoint-*")]
    assert 0 < int(checkpoint.split("-")[1]) < 3000


def test_no_process_outlives_the_one_that_watches(data: Path, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, 2, steps=100_000, checkpoint_every_steps=50_000)
    process = subprocess.Popen(command(spec, data, tmp_path / "o"), env=environment(), stdout=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: '"step": ' in progress(tmp_path / "o") and '"step": 0' not in progress(tmp_path / "o"), process
        )
        others = psutil.Process(process.pid).children(recursive=True)
        assert len(others) >= 3  # torchrun and its two
    finally:
        process.kill()
    _, alive = psutil.wait_procs(others, timeout=60)
    assert not alive


def test_what_no_new_start_mends_is_said_once(data: Path, tmp_path: Path) -> None:
    config = tiny(dataset={"targets": ["sales"]})
    config = config.model_copy(update={"run": config.run.model_copy(update={"processes": 2})})
    done = start(write_spec(tmp_path / "spec.json", config), data, tmp_path / "o")
    assert done.returncode == 2
    assert done.stderr.rstrip().splitlines()[-1].startswith("ERROR: ") and "no column 'sales'" in done.stderr


def progress(output: Path) -> str:
    path = output / "progress.json"
    return path.read_text() if path.exists() else ""


def wait_for(condition: Any, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "the training ended"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def worker(process: subprocess.Popen[Any], rank: int) -> psutil.Process:
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.environ().get("RANK") == str(rank) and os.path.basename(child.exe()).startswith("python"):
            return child
    raise AssertionError(f"no process of rank {rank}")
