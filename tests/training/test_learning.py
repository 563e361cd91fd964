"""The default run's promise, on the real panel: better than seasonal naive. Fewer steps than the default, same comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from chronos_training.config import load_config, repository_config
from chronos_training.config.schema import TrainingConfig
from chronos_training.data.load import load_panel
from chronos_training.data.windows import TrainingWindows
from chronos_training.evaluation.forecasts import MODEL, Chunk
from chronos_training.evaluation.held_out import evaluate
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.families import family as family_of
from chronos_training.families.weights import make_model
from chronos_training.training import loop
from chronos_training.training.progress import Progress
from chronos_training.training.stopping import StopRequest


def test_a_third_of_the_default_run_beats_every_form_of_seasonal_naive(birthdays: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    panel = load_panel(birthdays)
    default = load_config([repository_config("birthdays_tiny_cpu")]).model_dump(mode="json")
    config = TrainingConfig.model_validate(
        {
            **default,
            "training": {**default["training"], "steps": 400, "warmup_steps": 20},
            "evaluation": {**default["evaluation"], "baselines": ["naive"]},  # and seasonal naive, which always is
        }
    )
    family = family_of("chronos2")
    model, windows = make_model(family, config, None), TrainingWindows(panel, config)
    stop = StopRequest()
    progress = Progress(tmp_path / "progress.json")

    def scores() -> Any:
        def forecaster(chunk: Chunk) -> Any:
            return forecast_model(family, model, panel, chunk, config, stop.check)

        return evaluate({MODEL: forecaster}, panel, config, tmp_path / "forecasts.parquet", stop.check)

    before = scores()
    loop.train(
        model,
        family,
        windows,
        config,
        device="cpu",
        folder=tmp_path / "c",
        fingerprint="m",
        progress=progress,
        stop=stop,
    )
    after = scores()
    wql = {name: values["wql"] for name, values in after["aggregate"].items()}
    assert before["verdict"]["result"] == "worse"  # random weights know nothing
    assert after["verdict"]["result"] == "better"
    naive = [value for name, value in wql.items() if "naive" in name]
    assert len(naive) == 4 and all(wql["model"] < 0.95 * value for value in naive)
