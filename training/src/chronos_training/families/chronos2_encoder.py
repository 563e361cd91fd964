"""Chronos-2's encoder: the same function of the same weights, without the parts that reach neither loss nor forecast.

Two things are left out. Both see the last positions only (the horizon's patches), so that the last block needs keys
and values of all positions but everything else of those few. And a series that is alone in its group attends to itself
with weight 1, so that the attention over the group is its projection. Files are upstream's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from chronos.chronos2.layers import Chronos2RotaryEmbedding
from chronos.chronos2.model import Chronos2Encoder, Chronos2EncoderOutput
from torch import Tensor
from torch.nn import functional


class LossEncoder(Chronos2Encoder):  # type: ignore[misc]
    """Upstream's encoder whose output is right in the last `positions` positions, and zero before them."""

    positions: int
    alone: bool  # every series of a batch is its own group

    def forward(
        self,
        inputs_embeds: Tensor,
        *,
        group_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor | None = None,
        output_attentions: bool = False,
    ) -> Chronos2EncoderOutput:
        """Return hidden states (series, positions, d_model) of the embedded patches; the masks are as upstream's."""
        length, kind = inputs_embeds.shape[1], inputs_embeds.dtype
        places = torch.arange(length, device=inputs_embeds.device).unsqueeze(0)
        time_mask = self._expand_and_invert_time_attention_mask(attention_mask, kind)
        # The same angles in every block; in mixed precision, as upstream's, in the numbers of keys and queries.
        cos, sin = self.block[0].layer[0].self_attention.rope_embed(inputs_embeds, places)
        numbers = _products(inputs_embeds)
        angles = (cos.to(numbers), sin.to(numbers))
        group_mask = None
        if not self.alone:
            group_mask = self._construct_and_invert_group_time_mask(group_ids, attention_mask, kind)
        states = self.dropout(inputs_embeds)
        for block in self.block:
            over_time, over_group, feed_forward = block.layer
            if block is self.block[-1]:
                kept = self.positions
                group_mask = None if group_mask is None else group_mask[-kept:]
            else:
                kept = length
            states = _over_time(over_time, states, time_mask, angles, kept)
            if group_mask is None:
                states = over_itself(over_group, states)
            else:
                states = over_group(states, attention_mask=group_mask)[0]
            states = states + feed_forward.dropout(feed_forward.mlp(_normed(feed_forward.layer_norm, states)))
        states = self.dropout(_normed(self.final_layer_norm, states, states.dtype))
        return Chronos2EncoderOutput(last_hidden_state=functional.pad(states, (0, 0, length - self.positions, 0)))


@contextmanager
def loss_encoder(model: Any, positions: int, *, alone: bool) -> Iterator[None]:
    """Give a Chronos2Model this encoder while its loss is computed: for batches with `positions` patches of horizon."""
    encoder = model.encoder
    upstream = type(encoder)
    encoder.__class__ = LossEncoder
    encoder.positions, encoder.alone = positions, alone
    try:
        yield
    finally:
        encoder.__class__ = upstream
        del encoder.positions, encoder.alone


def _over_time(layer: Any, states: Tensor, mask: Tensor, angles: tuple[Tensor, Tensor], kept: int) -> Tensor:
    """Attend from the last `kept` positions to all."""
    attention = layer.self_attention
    normed = _normed(layer.layer_norm, states)
    key, value = _heads(attention.k(normed), attention), _heads(attention.v(normed), attention)
    query = _heads(attention.q(normed[:, -kept:]), attention)
    key, query = _rotated(key, *angles), _rotated(query, *(angle[:, -kept:] for angle in angles))
    dropped = attention.dropout if attention.training else 0.0
    found = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropped, scale=1.0  # upstream does not scale
    )  # fmt: skip
    return states[:, -kept:] + layer.dropout(attention.o(found.transpose(1, 2).flatten(2)))


def over_itself(layer: Any, states: Tensor) -> Tensor:
    """Return upstream's layer over `states` (series, positions, d_model), each series its own group: weight 1, or dropped."""
    attention = layer.self_attention
    normed = _normed(layer.layer_norm, states)
    value = attention.v(normed)
    if attention.training and attention.dropout:
        heads = value.unflatten(2, (attention.n_heads, -1))
        value = (heads * functional.dropout(torch.ones_like(heads[..., :1]), attention.dropout)).flatten(2)
    # Queries and keys have no influence, and the gradient 0 that upstream gives them: processes exchange all gradients.
    one = normed[:1, :1].detach()
    nothing = (attention.q(one).sum() + attention.k(one).sum()) * 0.0
    return states + layer.dropout(attention.o(value)) + nothing


def _products(states: Tensor) -> torch.dtype:
    """Return in which numbers matrix products are computed."""
    device = states.device.type
    mixed = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if mixed else states.dtype


def _normed(layer: Any, states: Tensor, kind: torch.dtype | None = None) -> Tensor:
    """Return upstream's layer norm of `states`, in one kernel on a GPU, cast once for all products that take it."""
    normed = functional.rms_norm(states, (states.shape[-1],), layer.weight, layer.variance_epsilon)
    return normed.to(kind or _products(states))


def _heads(states: Tensor, attention: Any) -> Tensor:
    return states.unflatten(2, (attention.n_heads, -1)).transpose(1, 2)


def _rotated(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return states * cos.unsqueeze(1) + Chronos2RotaryEmbedding.rotate_half(states) * sin.unsqueeze(1)
