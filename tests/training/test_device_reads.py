"""A training step asks a GPU nothing: whatever the CPU wants to know, or brings without having been asked to, it waits for.

On the device `meta`, which has shapes and no numbers, each such question shows, also without a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from chronos_training.config import TrainingConfig
from chronos_training.families import family as family_of
from chronos_training.families.weights import make_model
from tests.training.conftest import FAMILIES, tiny

ASKS = {"aten._local_scalar_dense.default", "aten.nonzero.default", "aten.masked_select.default", "aten.equal.default"}


class Questions(TorchDispatchMode):
    """Collects operations that make the CPU wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        positions = [one for part in args if isinstance(part, list | tuple) for one in part if torch.is_tensor(one)]
        if str(operation) in ASKS or ("index" in str(operation) and any(one.dtype == torch.bool for one in positions)):
            self.found.append(str(operation))
        out = operation(*args, **(kwargs or {}))
        tensors = [one for one in (*args, out) if torch.is_tensor(one) and one.dim()]
        if len({one.device.type for one in tensors}) > 1:
            self.found.append(f"{operation} between devices")
        return out


def batch_of(config: TrainingConfig, gaps: bool) -> dict[str, Any]:
    random = np.random.default_rng(0)
    targets = len(config.dataset.targets)
    windows = []
    for _ in range(3):
        context = random.normal(size=(targets, config.model.context_length)).astype(np.float32)
        future = random.normal(size=(targets, config.forecast.prediction_length)).astype(np.float32)
        if gaps:
            context[:, :9], future[:, 2] = np.nan, np.nan
        windows.append(
            {"context": context, "future_target": future, "known": np.empty((0, future.shape[1]), np.float32)}
        )
    return family_of(config.model.family).collate(config, windows)


def model_of(config: TrainingConfig) -> Any:
    return make_model(family_of(config.model.family), config, None).train()


# A horizon that fills no whole patch.
CASES = [tiny(model={"family": family}, forecast={"prediction_length": 10}) for family in FAMILIES]
CASES += [tiny(dataset={"targets": ["a", "b"]}), tiny(training={"method": "lora"})]
NAMES = [*FAMILIES, "two targets", "lora"]


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("config", CASES, ids=NAMES)
def test_a_step_asks_the_device_nothing(config: TrainingConfig, gaps: bool) -> None:
    model = model_of(config).to("meta")
    batch = {key: one.to("meta") if torch.is_tensor(one) else one for key, one in batch_of(config, gaps).items()}
    with family_of(config.model.family).while_training(model, config), Questions() as questions:
        model(**batch).loss.backward()
    assert questions.found == []


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("family", ["chronos_bolt", "chronos_t5"])
def test_loss_and_gradients_are_upstreams(family: str, gaps: bool) -> None:
    config = tiny(model={"family": family, "dropout_rate": 0.0})
    model, batch = model_of(config), batch_of(config, gaps)
    own = family_of(family)
    with own.while_training(model, config):
        loss = model(**batch).loss
        loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    if "attention_mask" in batch:
        batch["attention_mask"] = batch["attention_mask"][:, 0, 0] == 0  # as upstream's tokenizer gives it
    expected = model(**batch).loss
    expected.backward()
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    upstream = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    assert found.keys() == upstream.keys()
    largest = max(float(one.abs().max()) for one in upstream.values())
    for name, gradient in upstream.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5 * largest, msg=name)
