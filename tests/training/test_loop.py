"""The loop: reproducible, blind to the future, and bit-exact after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.load import load_panel
from chronos_training.models import checkpoints, chronos2, loop
from chronos_training.models.losscurve import LossCurve
from chronos_training.models.progress import Progress
from chronos_training.models.stopping import Stopped, StopRequest
from chronos_training.models.windows import TrainingWindows, training_part
from tests.training.conftest import tiny


class StopAt(Progress):
    """Asks for the end at a step, as SIGTERM does."""

    def __init__(self, path: Path, stop: StopRequest, at: int) -> None:
        super().__init__(path)
        self._stop, self._at = stop, at

    def step(self, step: int, total: int, **values: Any) -> None:
        super().step(step, total, **values)
        self._stop.requested = self._stop.requested or step == self._at


def train(
    data: Path, output: Path, config: TrainingConfig, *, stop_at: int = 0, scramble: bool = False
) -> tuple[Any, LossCurve]:
    torch.set_num_threads(1)
    output.mkdir(exist_ok=True)
    values = [series.copy() for series in load_panel(data, "target").values]
    if scramble:
        for series in values:
            series[-config.held_out_length :] = 1e9
    model = chronos2.build_model(config)
    windows = TrainingWindows(
        training_part(values, config.held_out_length),
        context_length=config.model.context_length,
        prediction_length=config.forecast.prediction_length,
        seed=config.training.seed,
        length=config.training.steps * config.training.batch_size,
    )
    stop = StopRequest()
    curve = loop.train(
        model,
        windows,
        config,
        device="cpu",
        folder=output / "checkpoints",
        mark="m",
        progress=StopAt(output / "progress.json", stop, stop_at),
        stop=stop,
    )
    return model, curve


def same(one: Any, two: Any) -> bool:
    pairs = zip(one.state_dict().items(), two.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_same_seed_same_weights_other_seed_other_weights(data: Path, tmp_path: Path) -> None:
    first, curve = train(data, tmp_path / "a", tiny())
    again, _ = train(data, tmp_path / "b", tiny())
    other, _ = train(data, tmp_path / "c", tiny(training={"seed": 1}))
    assert same(first, again)
    assert not same(first, other)
    assert curve.steps == list(range(1, 9)) and len(curve.losses) == len(curve.learning_rates) == 8


def test_the_held_out_part_changes_no_weight(data: Path, tmp_path: Path) -> None:
    real, _ = train(data, tmp_path / "a", tiny())
    scrambled, _ = train(data, tmp_path / "b", tiny(), scramble=True)
    assert same(real, scrambled)


@pytest.mark.parametrize("stop_at", [1, 3, 4, 7, 8])
def test_stopped_and_resumed_is_bit_exact(data: Path, tmp_path: Path, stop_at: int) -> None:
    """With dropout on, so that the random state is part of what must come back."""
    whole, curve = train(data, tmp_path / "whole", tiny())
    with pytest.raises(Stopped):
        train(data, tmp_path / "cut", tiny(), stop_at=stop_at)
    assert checkpoints.steps_in(tmp_path / "cut/checkpoints")[-1] == stop_at
    resumed, rest = train(data, tmp_path / "cut", tiny())
    assert rest.resumed_from == stop_at
    assert same(whole, resumed)
    assert rest.losses == curve.losses and rest.learning_rates == curve.learning_rates


def test_a_torn_newest_checkpoint_costs_steps_but_not_exactness(data: Path, tmp_path: Path) -> None:
    whole, _ = train(data, tmp_path / "whole", tiny())
    with pytest.raises(Stopped):
        train(data, tmp_path / "cut", tiny(), stop_at=6)
    (tmp_path / "cut/checkpoints/checkpoint-6/optimizer.pt").write_bytes(b"torn")
    resumed, rest = train(data, tmp_path / "cut", tiny())
    assert rest.resumed_from == 4
    assert same(whole, resumed)


def test_old_checkpoints_go_and_nothing_unfinished_stays(data: Path, tmp_path: Path) -> None:
    train(data, tmp_path / "a", tiny(training={"checkpoint_every_steps": 2, "keep_checkpoints": 2}))
    assert sorted(p.name for p in (tmp_path / "a/checkpoints").iterdir()) == ["checkpoint-6", "checkpoint-8"]


def test_a_loss_that_is_no_number_ends_the_run_with_advice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = chronos2.Chronos2Model.forward

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        out = forward(self, *arguments, **named)
        out.loss = out.loss * float("nan")
        return out

    monkeypatch.setattr(chronos2.Chronos2Model, "forward", broken)
    with pytest.raises(TrainingError, match=r"no number any more at step 1\. Lower training\.learning_rate"):
        train(data, tmp_path / "a", tiny())
