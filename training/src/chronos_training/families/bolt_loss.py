"""Chronos-Bolt for training: the same loss of the same weights, in which a GPU is asked nothing on the way.

Upstream fills missing targets by their positions, which the CPU has to be told, and unscales predictions that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from chronos.chronos_bolt import ChronosBoltModelForForecasting, ChronosBoltOutput
from torch import Tensor

from chronos_training.families.t5_masks import added_masks


class LossBolt(ChronosBoltModelForForecasting):  # type: ignore[misc]
    """Upstream's model, whose output has the loss alone."""

    def forward(self, context: Tensor, target: Tensor) -> ChronosBoltOutput:
        """Return the loss of `target` (batch, horizon) after `context` (batch, length); missing values are NaN."""
        states, loc_scale, embedded, seen = self.encode(context=context)
        decoded = self.decode(embedded, seen, states)
        found = self.output_patch_embedding(decoded).view(len(context), self.num_quantiles, -1)
        found = found[..., : target.shape[-1]]  # the model's horizon may be longer
        scaled = self.instance_norm(target, loc_scale)[0].unsqueeze(1)
        there = ~torch.isnan(scaled)
        scaled = torch.where(there, scaled, 0.0)
        levels = self.quantiles.view(1, self.num_quantiles, 1)
        loss = 2 * torch.abs((scaled - found) * ((scaled <= found).float() - levels)) * there.float()
        # Upstream's: mean over the levels, sum over the horizon, mean over the batch.
        return ChronosBoltOutput(loss=loss.mean(dim=-2).sum(dim=-1).mean())


# A checkpoint is written while this class is there, and its config.json names the class: it is to be a model like any other.
LossBolt.__name__ = ChronosBoltModelForForecasting.__name__


@contextmanager
def loss_model(model: Any) -> Iterator[None]:
    """Give a ChronosBoltModelForForecasting this forward while it learns."""
    upstream = type(model)
    model.__class__ = LossBolt
    try:
        with added_masks(model):
            yield
    finally:
        model.__class__ = upstream
        vars(model).pop("forward", None)  # mixed precision puts one there, and leaves it
