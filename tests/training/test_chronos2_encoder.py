"""The encoder that leaves out what cannot reach the loss: upstream's loss and upstream's gradients, whatever the batch is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from chronos.chronos2.model import Chronos2Encoder

from chronos_training.config import TrainingConfig
from chronos_training.data.windows import Window
from chronos_training.families import family
from chronos_training.families.chronos2_encoder import over_itself
from chronos_training.families.weights import make_model

SIZES = {"context_length": 24, "patch_size": 4, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 3, "num_heads": 2}
ALONE: dict[str, Any] = {}
GROUPS = {"targets": ["a", "b"], "past_covariates": ["p"], "known_covariates": ["k"]}


def config_of(dataset: dict[str, Any], *, method: str = "full", dropout: float = 0.0) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "dataset": {"name": "d", **dataset},
            "forecast": {"prediction_length": 6},
            "model": {**SIZES, "dropout_rate": dropout},
            "training": {"method": method},
        }
    )


def batch_of(config: TrainingConfig, windows: int = 5) -> dict[str, Any]:
    """Windows with gaps, one padded by four whole patches."""
    random, data = np.random.default_rng(0), config.dataset
    targets, known = len(data.targets), len(data.known_covariates)
    columns = targets + len(data.past_covariates) + known

    def window(number: int) -> Window:
        context = random.normal(size=(columns, 24)).astype(np.float32)
        context[:, : 16 if number == 0 else 0] = np.nan
        context[0, 18:20] = np.nan
        future = random.normal(size=(targets, 6)).astype(np.float32)
        return {"context": context, "future_target": future, "known": random.normal(size=(known, 6)).astype(np.float32)}

    return family("chronos2").collate(config, [window(i) for i in range(windows)])


def loss_and_gradients(model: Any, batch: dict[str, Any], context: Any) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    with context:
        loss = model(**batch).loss
        loss.backward()
    learnt = {name: one.grad.clone() for name, one in model.named_parameters() if one.requires_grad}
    return loss.item(), learnt


@pytest.mark.parametrize("dataset", [ALONE, GROUPS], ids=["alone", "groups"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_loss_and_gradients_are_upstreams(dataset: dict[str, Any], method: str) -> None:
    config, own = config_of(dataset, method=method), family("chronos2")
    model = make_model(own, config, None).train()
    if method == "lora":
        with torch.no_grad():  # an addition begins as nothing, with which half of the gradients would be zero
            for one in model.parameters():
                one.add_(torch.randn_like(one) * 0.05 * one.requires_grad)
    batch = batch_of(config)
    expected, gradients = loss_and_gradients(model, batch, nullcontext())
    loss, found = loss_and_gradients(model, batch, own.while_training(model, config))
    assert loss == pytest.approx(expected, rel=1e-6)
    largest = max(one.abs().max() for one in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5 * float(largest), msg=name)


def test_a_series_alone_is_dropped_as_often_as_in_upstreams_attention() -> None:
    """Other random numbers, so that only mean and spread can be compared."""
    config = config_of(ALONE, dropout=0.4)
    model = make_model(family("chronos2"), config, None).train()
    layer = model.encoder.block[0].layer[1]
    states = torch.randn(5, 8, 16)
    mask = model.encoder._construct_and_invert_group_time_mask(torch.arange(5), torch.ones(5, 8), states.dtype)
    with torch.no_grad():
        for one in layer.parameters():
            one.copy_(torch.randn_like(one))
        upstream = torch.stack([layer(states, attention_mask=mask)[0] for _ in range(4000)])
        ours = torch.stack([over_itself(layer, states) for _ in range(4000)])
    errors = (ours.mean(0) - upstream.mean(0)) / (upstream.std(0) * (2 / 4000) ** 0.5)
    assert errors.abs().max() < 5
    assert ours.var(0).mean() / upstream.var(0).mean() == pytest.approx(1.0, abs=0.03)


def test_upstreams_encoder_is_back_afterwards_also_after_an_error() -> None:
    config, own = config_of(ALONE), family("chronos2")
    model = make_model(own, config, None)
    with pytest.raises(KeyboardInterrupt), own.while_training(model, config):
        assert type(model.encoder) is not Chronos2Encoder
        raise KeyboardInterrupt
    assert type(model.encoder) is Chronos2Encoder and not hasattr(model.encoder, "positions")
