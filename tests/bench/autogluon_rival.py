"""AutoGluon's fine-tuning of a Chronos-2, in the environment that has AutoGluon: windows per second of its own fit.

As a program it gets a folder with settings.json, panel.json and the model in base/, and prints one number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def windows_per_second(series: list[list[float]], model: Any, config: Any, folder: Path) -> float:
    """Return the speed of a fine-tuning of all weights from `model`: data, batch and one thread as in `config`."""
    from chronos_training.families import family

    family("chronos2").save(model, folder / "base")
    how = config.training
    settings = {
        "steps": how.steps, "batch_size": how.batch_size, "learning_rate": how.learning_rate,
        "context_length": config.model.context_length, "prediction_length": config.forecast.prediction_length,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "panel.json").write_text(json.dumps(series))
    controller = ROOT / ".venv/bin/python"
    found = subprocess.run(
        [controller, "-m", "chronos_training.control.publish.build_runtime", "autogluon"],
        env={},
        stdout=subprocess.PIPE,
        text=True,
    )
    if found.returncode:
        raise SystemExit("bench: the environment with AutoGluon could not be built")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}"}
    command = [found.stdout.strip(), "-m", "tests.bench.autogluon_rival", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: AutoGluon ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def main() -> None:
    import pandas as pd
    import torch
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text())
    parts = [
        pd.DataFrame({"item_id": f"s{i}", "timestamp": pd.date_range("2020-01-01", periods=len(one)), "target": one})
        for i, one in enumerate(json.loads((folder / "panel.json").read_text()))
    ]
    predictor = TimeSeriesPredictor(
        prediction_length=settings["prediction_length"], freq="D", path=str(folder / "predictor"), verbosity=0
    )
    predictor.fit(
        TimeSeriesDataFrame.from_data_frame(pd.concat(parts)),
        hyperparameters={
            "Chronos2": {
                "model_path": str(folder / "base"), "fine_tune": True, "fine_tune_mode": "full", "device": "cpu",
                "fine_tune_steps": settings["steps"], "fine_tune_batch_size": settings["batch_size"],
                "fine_tune_lr": settings["learning_rate"], "fine_tune_context_length": settings["context_length"],
                "context_length": settings["context_length"],
            }
        },
        enable_ensemble=False,
    )  # fmt: skip
    seconds = float(predictor.leaderboard()["fit_time_marginal"].iloc[0])
    print(settings["steps"] * settings["batch_size"] / seconds)


if __name__ == "__main__":
    main()
