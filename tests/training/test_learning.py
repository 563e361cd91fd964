"""The default run's promise, on the real panel: better than seasonal naive. Fewer steps than the default, same comparison."""

from __future__ import annotations

from pathlib import Path

import torch

from chronos_training.config import load_config, repository_config
from chronos_training.config.schema import TrainingConfig
from chronos_training.data.load import load_panel
from chronos_training.models import chronos2, forecasting, loop, scoring
from chronos_training.models.progress import Progress
from chronos_training.models.stopping import StopRequest
from chronos_training.models.windows import TrainingWindows, training_part


def test_a_third_of_the_default_run_beats_every_form_of_seasonal_naive(birthdays: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    panel = load_panel(birthdays, "target")
    default = load_config([repository_config("birthdays_tiny_cpu")]).model_dump(mode="json")
    config = TrainingConfig.model_validate(
        {**default, "training": {**default["training"], "steps": 400, "warmup_steps": 20}}
    )
    model = chronos2.build_model(config)
    windows = TrainingWindows(
        training_part(panel.values, config.held_out_length),
        context_length=config.model.context_length,
        prediction_length=config.forecast.prediction_length,
        seed=0,
        length=config.training.steps * config.training.batch_size,
    )
    stop = StopRequest()
    progress = Progress(tmp_path / "progress.json")
    before = scoring.score(forecasting.forecast(model, panel, config, stop.check), panel, config)
    loop.train(model, windows, config, device="cpu", folder=tmp_path / "c", mark="m", progress=progress, stop=stop)
    after = scoring.score(forecasting.forecast(model, panel, config, stop.check), panel, config)
    wql = {name: values["wql"] for name, values in after["aggregate"].items()}
    assert before["verdict"]["result"] == "worse"  # random weights know nothing
    assert after["verdict"]["result"] == "better"
    assert all(wql["model"] < 0.95 * value for name, value in wql.items() if name != "model")
