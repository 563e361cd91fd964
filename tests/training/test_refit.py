"""The number of steps is found on validation windows, then everything before the held-out part is learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from chronos_training.config import TrainingConfig
from chronos_training.data.load import load_panel
from chronos_training.data.windows import TrainingWindows
from chronos_training.families import family as family_of
from chronos_training.families.weights import make_model
from chronos_training.training import checkpoints, refit
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.stopping import Stopped, StopRequest
from tests.training.conftest import tiny
from tests.training.test_loop import StopAt, same

# A growing learning rate that ruins the model: the first validation stays the best.
HOW: dict[str, Any] = {
    "validation_windows": 2,
    "refit": True,
    "checkpoint_every_steps": 2,
    "keep_checkpoints": 2,
    "learning_rate": 1.0,
}
HOW |= {"lr_scheduler": "constant_with_warmup", "warmup_steps": 7, "max_grad_norm": 1000.0}


def train(
    data: Path, output: Path, config: TrainingConfig, *, stop_at: int = 0, asked: list[Any] | None = None
) -> tuple[Any, LossCurve, Any]:
    torch.set_num_threads(1)
    output.mkdir(exist_ok=True)
    family, stop = family_of(config.model.family), StopRequest()

    def tell(model: Any) -> dict[str, Any]:
        if asked is not None:
            asked.append(model)
        return {"sum": float(sum(values.double().sum() for values in model.state_dict().values()))}

    return refit.train(
        lambda: make_model(family, config, None),
        family,
        load_panel(data, config.dataset.targets),
        config,
        device="cpu",
        folder=output / "checkpoints",
        fingerprint="m",
        progress=StopAt(output / "progress.json", stop, stop_at),
        stop=stop,
        tell=tell,
    )


@pytest.mark.parametrize(("windows", "least"), [(1, 1.0), (refit.WITNESSES, refit.LEAST)])
def test_everything_before_the_held_out_part_is_learnt_for_the_steps_that_were_found(
    data: Path, tmp_path: Path, windows: int, least: float
) -> None:
    config = tiny(training=HOW | {"validation_windows": windows})
    _, curve, told = train(data, tmp_path / "a", config)
    assert curve.refit is not None and told is not None
    losses = dict(curve.validation)
    good = [step for step, loss in losses.items() if loss <= min(losses.values()) * (1 + refit.EQUAL)]
    assert curve.refit.found == max(good) < curve.refit.searched == 8
    panel = load_panel(data, config.dataset.targets)
    search, whole = (TrainingWindows(panel, one) for one in (config, refit.refit_config(config, curve.refit.steps)))
    more = int(whole._learnt.sum()) / int(search._learnt.sum())
    assert (whole._learnt - search._learnt == config.validation_length).all()
    assert curve.refit.steps == round(max(curve.refit.found, 8 * least) * more)
    assert curve.last_step == curve.chosen_step == curve.steps[-1] == 8 + curve.refit.steps
    assert checkpoints.steps_in(tmp_path / "a/checkpoints")[-1] <= curve.last_step


@pytest.mark.parametrize("stop_at", [3, 8, 9, 10])
def test_interrupted_in_either_stage_it_ends_with_the_same_weights(data: Path, tmp_path: Path, stop_at: int) -> None:
    config = tiny(training=HOW | {"validation_windows": 2, "learning_rate": 1e-3, "checkpoint_every_steps": 1})
    whole, curve, told = train(data, tmp_path / "a", config)
    assert curve.refit is not None and curve.last_step > 10
    with pytest.raises(Stopped):
        train(data, tmp_path / "b", config, stop_at=stop_at)
    asked: list[Any] = []
    model, again, said = train(data, tmp_path / "b", config, asked=asked)
    assert same(whole, model) and said == told
    assert (again.refit, again.validation, again.steps) == (curve.refit, curve.validation, curve.steps)
    assert again.losses == curve.losses and again.resumed_from == stop_at
    # In the second stage the first is not trained again.
    assert len(asked) == (1 if stop_at <= 8 else 0)
    progress = json.loads((tmp_path / "b/progress.json").read_text())
    assert progress["step"] == progress["total_steps"] == curve.last_step


def test_without_a_refit_the_best_checkpoint_is_the_model(data: Path, tmp_path: Path) -> None:
    _, curve, told = train(data, tmp_path / "a", tiny(training=HOW | {"refit": False}))
    assert curve.refit is None and curve.chosen_step < curve.last_step == 8
    assert told is None, "whoever wants to know asks the model itself"
