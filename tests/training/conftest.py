"""A tiny real task: a few steps of a few thousand parameters. Runs in the training environment (needs torch)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chronos_training
from chronos_training.config import TrainingConfig
from chronos_training.data.prepare import prepare
from chronos_training.data.sources import BIRTHDAYS
from tests.training import warm_process

SOURCES = Path(chronos_training.__file__).parents[1]

TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {"name": "weekly"},
    "forecast": {"prediction_length": 7, "quantile_levels": [0.1, 0.5, 0.9]},
    "model": {
        "context_length": 28, "patch_size": 7, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2,
        "dropout_rate": 0.1, "vocabulary": 64, "samples": 5,
    },
    "training": {
        "steps": 8, "batch_size": 8, "warmup_steps": 2, "log_every_steps": 1, "checkpoint_every_steps": 4, "cpu_threads": 1,
    },
    "evaluation": {"windows": 2, "report_series": 2},
}  # fmt: skip


FAMILIES = ["chronos2", "chronos_bolt", "chronos_t5"]


def tiny(**sections: dict[str, Any]) -> TrainingConfig:
    """Return the tiny configuration with some keys replaced."""
    return TrainingConfig.model_validate({**TINY, **{name: {**TINY[name], **keys} for name, keys in sections.items()}})


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset: four series of 150 days with a weekly pattern."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=150, freq="D")
    frames = [
        pd.DataFrame(
            {
                "item_id": f"s{i}",
                "timestamp": days,
                "target": 50 + 9 * (np.arange(150) % 7) + generator.normal(size=150),
            }
        )
        for i in range(4)
    ]
    pd.concat(frames).to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "weekly", folder / "dataset")
    return folder / "dataset"


def write_spec(path: Path, config: TrainingConfig, **more: Any) -> Path:
    """Write a run spec and return its path."""
    whole = {"schema_version": 1, "training": config.model_dump(mode="json"), "device": "cpu"}
    path.write_text(json.dumps(whole | more), encoding="utf-8")
    return path


def command(spec: Path, data: Path, output: Path) -> list[str]:
    """Return the command line of the training process, as the instance starts it."""
    return [
        sys.executable,
        "-m",
        "chronos_training.training.train",
        "--spec",
        str(spec),
        "--data",
        str(data),
        "--output",
        str(output),
    ]


def environment() -> dict[str, str]:
    """Return the environment of the training process."""
    return {**os.environ, "PYTHONPATH": str(SOURCES), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def start(spec: Path, data: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the training process to its end, forked from a server that has its imports (not for AutoGluon: threads)."""
    _, _, module, *words = [*command(spec, data, output), *more]
    return warm_process.run(module, words)


def start_fresh(spec: Path, data: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the training process to its end in a fresh interpreter."""
    words = [*command(spec, data, output), *more]
    return subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=240)


@pytest.fixture(scope="session")
def birthdays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real panel. Its source is a package of the controller's environment, which prepares it here as in a real run."""
    folder = tmp_path_factory.mktemp("birthdays") / "dataset"
    controller = SOURCES.parents[1] / ".venv/bin/python"
    python = str(controller) if controller.exists() else sys.executable
    module = [python, "-m", "chronos_training.data.prepare"]
    subprocess.run(
        [*module, "--source", BIRTHDAYS, "--name", "birthdays", "--output", str(folder)], check=True, env=environment()
    )
    return folder
