"""The loop: reproducible, blind to the future, and bit-exact after an interruption."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chronos.chronos2 import Chronos2Model
from safetensors.torch import load_file

from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.load import load_panel
from chronos_training.data.windows import TrainingWindows, ValidationWindows
from chronos_training.families import family as family_of
from chronos_training.families.base import History
from chronos_training.families.weights import make_model, merged, parameter_counts
from chronos_training.training import checkpoints, loop
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.progress import Progress
from chronos_training.training.stopping import Stopped, StopRequest
from tests.training.conftest import FAMILIES, tiny


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
    panel = load_panel(data, config.dataset.targets)
    if scramble:
        for item in range(len(panel)):
            panel.values(item, "target")[-config.held_out_length :] = 1e9
    family = family_of(config.model.family)
    model = make_model(family, config, None)
    stop = StopRequest()
    curve = loop.train(
        model,
        family,
        TrainingWindows(panel, config),
        config,
        validate=ValidationWindows(panel, config) if config.training.validation_windows else None,
        device="cpu",
        folder=output / "checkpoints",
        fingerprint="m",
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


@pytest.mark.parametrize("family", FAMILIES)
def test_the_held_out_part_changes_no_weight(data: Path, tmp_path: Path, family: str) -> None:
    config = tiny(model={"family": family}, training={"validation_windows": 1})
    real, _ = train(data, tmp_path / "a", config)
    scrambled, _ = train(data, tmp_path / "b", config, scramble=True)
    assert same(real, scrambled)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stop_at", [1, 3, 4, 7, 8])
def test_stopped_and_resumed_is_bit_exact(data: Path, tmp_path: Path, family: str, stop_at: int) -> None:
    """With dropout on, so that the random state is part of what must come back."""
    config = tiny(model={"family": family})
    whole, curve = train(data, tmp_path / "whole", config)
    with pytest.raises(Stopped):
        train(data, tmp_path / "cut", config, stop_at=stop_at)
    assert checkpoints.steps_in(tmp_path / "cut/checkpoints")[-1] == stop_at
    # A checkpoint is a model like any other: another training can start from it.
    assert read_pretrained(tmp_path / f"cut/checkpoints/checkpoint-{stop_at}").family == family
    resumed, rest = train(data, tmp_path / "cut", config)
    assert rest.resumed_from == stop_at
    assert same(whole, resumed)
    assert rest.losses == curve.losses and rest.learning_rates == curve.learning_rates


HOWS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "lora_dropout": 0.1},
    "accumulated": {"gradient_accumulation_steps": 4},
    "synthetic": {"synthetic_share": 0.3, "mixup_share": 0.3, "synthetic_series": 4},
    "validated": {"validation_windows": 2, "checkpoint_every_steps": 2, "keep_checkpoints": 1},
}


@pytest.mark.parametrize("how", HOWS)
def test_every_way_to_learn_resumes_bit_exactly(data: Path, tmp_path: Path, how: str) -> None:
    config = tiny(training=HOWS[how])
    whole, curve = train(data, tmp_path / "whole", config)
    with pytest.raises(Stopped):
        train(data, tmp_path / "cut", config, stop_at=5)
    resumed, rest = train(data, tmp_path / "cut", config)
    assert rest.resumed_from == 5 and rest.losses == curve.losses
    assert same(whole, resumed)
    if how == "validated":
        # The stop made one checkpoint more, not one validation more.
        assert rest.validation == curve.validation and rest.chosen_step == curve.chosen_step


@pytest.mark.parametrize("family", FAMILIES)
def test_accumulated_parts_are_the_whole_batch(data: Path, tmp_path: Path, family: str) -> None:
    without = {"family": family, "dropout_rate": 0.0}
    _, whole = train(data, tmp_path / "a", tiny(model=without))
    _, parts = train(data, tmp_path / "b", tiny(model=without, training={"gradient_accumulation_steps": 4}))
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)


def test_low_rank_additions_learn_alone_and_end_in_the_weights(data: Path, tmp_path: Path) -> None:
    config = tiny(training={"method": "lora", "learning_rate": 0.1})
    before = make_model(family_of("chronos2"), tiny(), None)
    model, _ = train(data, tmp_path / "a", config)
    total, learning = parameter_counts(model)
    assert 0 < learning < total / 2
    whole = merged(model, config)
    changed = {
        name for (name, old), new in zip(before.state_dict().items(), whole.state_dict().values(), strict=True)
        if not torch.equal(old, new)
    }  # fmt: skip
    assert changed and all("self_attention" in name or "output_patch_embedding" in name for name in changed)


def test_the_best_checkpoint_is_kept_and_taken(data: Path, tmp_path: Path) -> None:
    how = {"validation_windows": 2, "checkpoint_every_steps": 2, "keep_checkpoints": 1, "learning_rate": 1.0}
    # A growing learning rate that ruins the model: the first validation stays the best.
    how |= {"lr_scheduler": "constant_with_warmup", "warmup_steps": 7, "max_grad_norm": 1000.0}
    model, curve = train(data, tmp_path / "a", tiny(training=how))
    losses = dict(curve.validation)
    assert list(losses) == [2, 4, 6, 8]
    assert curve.chosen_step == min(losses, key=lambda step: losses[step]) < curve.last_step == 8
    there = checkpoints.steps_in(tmp_path / "a/checkpoints")
    assert there == sorted({curve.chosen_step, 8})
    best = load_file(tmp_path / f"a/checkpoints/checkpoint-{curve.chosen_step}/model.safetensors")
    assert all(torch.equal(best[name], value) for name, value in model.state_dict().items() if name in best)


def test_a_lost_best_checkpoint_costs_the_choice_and_not_the_run(data: Path, tmp_path: Path) -> None:
    how = {"validation_windows": 2, "checkpoint_every_steps": 2, "keep_checkpoints": 1, "learning_rate": 1.0}
    # A growing learning rate that ruins the model: the first validation stays the best.
    how |= {"lr_scheduler": "constant_with_warmup", "warmup_steps": 7, "max_grad_norm": 1000.0}
    _, curve = train(data, tmp_path / "a", tiny(training=how))
    assert curve.chosen_step < 8
    shutil.rmtree(tmp_path / f"a/checkpoints/checkpoint-{curve.chosen_step}")
    _, again = train(data, tmp_path / "a", tiny(training=how))
    assert (again.chosen_step, again.last_step) == (8, 8)


@pytest.mark.parametrize("name", FAMILIES)
def test_mixed_precision_ends_with_the_training(data: Path, tmp_path: Path, name: str) -> None:
    """What is stored is what was scored: the wrapper that computes in few digits is gone when the model forecasts."""
    config = tiny(training={"precision": "bf16"}, model={"dropout_rate": 0.0, "family": name})
    family = family_of(name)
    model, _ = train(data, tmp_path / "a", config)
    family.save(model, tmp_path / "m")
    again = family.load(tmp_path / "m", config)
    random = np.random.default_rng(0)
    history = History(random.normal(size=(1, 28)).astype(np.float32), np.empty((0, 28)), np.empty((0, 35)))
    one, two = (family.predict(m, [history], config, lambda: None) for m in (model, again))
    # Weights that were read lie elsewhere in memory, which moves the last bit; few digits would move the third.
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_training_ends_when_validation_gets_no_better_also_after_a_resume(data: Path, tmp_path: Path) -> None:
    how = {"validation_windows": 1, "checkpoint_every_steps": 1, "early_stopping_patience": 2, "learning_rate": 1.0}
    how |= {"lr_scheduler": "constant_with_warmup", "warmup_steps": 1, "max_grad_norm": 1000.0, "steps": 60}
    model, curve = train(data, tmp_path / "a", tiny(training=how))
    assert curve.last_step == curve.chosen_step + 2 < 60
    # Killed after the last checkpoint and before the model was stored: nothing is learnt beyond.
    again, rest = train(data, tmp_path / "a", tiny(training=how))
    assert (rest.last_step, rest.chosen_step) == (curve.last_step, curve.chosen_step)
    assert same(model, again)


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


def test_the_last_step_is_logged(data: Path, tmp_path: Path) -> None:
    """Also where the run has fewer steps than log_every_steps, and where it was stopped."""
    config = tiny(training={"log_every_steps": 100, "checkpoint_every_steps": 100})
    _, curve = train(data, tmp_path / "a", config)
    assert curve.steps == [8] and curve.losses[0] > 0
    with pytest.raises(Stopped):
        train(data, tmp_path / "b", config, stop_at=3)
    _, rest = train(data, tmp_path / "b", config)
    assert rest.steps == [3, 8]


def test_no_checkpoint_holds_a_loss_that_is_no_number(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It appears at the last step, long after the last logged one."""
    forward, calls = Chronos2Model.forward, iter(range(1, 100))

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        out = forward(self, *arguments, **named)
        out.loss = out.loss * float("nan") if next(calls) == 8 else out.loss
        return out

    monkeypatch.setattr(Chronos2Model, "forward", broken)
    with pytest.raises(TrainingError, match="no longer a number at step 8"):
        train(data, tmp_path / "a", tiny(training={"log_every_steps": 100, "checkpoint_every_steps": 100}))
    assert checkpoints.steps_in(tmp_path / "a/checkpoints") == []


def test_a_loss_that_is_no_number_ends_the_run_with_advice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Chronos2Model.forward

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        out = forward(self, *arguments, **named)
        out.loss = out.loss * float("nan")
        return out

    monkeypatch.setattr(Chronos2Model, "forward", broken)
    with pytest.raises(TrainingError, match=r"no longer a number at step 1\. Lower training\.learning_rate"):
        train(data, tmp_path / "a", tiny())
    with pytest.raises(
        TrainingError, match=r"computes in bf16, .*: set training\.precision to fp32\. If that does not help, lower"
    ):
        train(data, tmp_path / "b", tiny(training={"precision": "bf16"}))


@pytest.mark.parametrize("family", FAMILIES)
def test_why_auto_never_takes_fp16(data: Path, family: str) -> None:
    """Weights whose feed-forward layers give large numbers, as pretrained ones do: a loss in fp32 and bf16, none in fp16."""
    config = tiny(model={"family": family, "dropout_rate": 0.0})
    own, windows = family_of(family), TrainingWindows(load_panel(data, ("target",)), config)
    batch = own.collate(config, [windows[i] for i in range(4)])
    losses = {}
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        model = make_model(own, config, None)
        for name, weight in model.named_parameters():
            if name.endswith(("wi.weight", "wo.weight")):
                weight.data *= 1000 / weight.abs().max()  # themselves well within the range of fp16
        with torch.no_grad(), torch.autocast("cpu", kind, enabled=kind is not torch.float32):
            losses[kind] = float(model(**{k: v.clone() if torch.is_tensor(v) else v for k, v in batch.items()}).loss)
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=0.1)
    assert not np.isfinite(losses[torch.float16])
