"""Sample paths of Chronos-T5, drawn as transformers' `generate` draws them: the same numbers from the same seed.

All paths of a series look at one encoded history, of which `generate` makes a copy for each path, with its keys and values
in every layer. And nothing is asked of the device between two steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SETTINGS = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}  # upstream's, of all published models


def sample(model: Any, tokens: Tensor, mask: Tensor | None, steps: int, paths: int) -> Tensor:
    """Return tokens (series, paths, steps) that follow `tokens` (series, length).

    `mask` is what is added to attention scores (series, 1, 1, length), or None where no history has gaps. `model` is a
    T5ForConditionalGeneration on the device of `tokens`, in evaluation mode.
    """
    series, config, decoder = len(tokens), model.config, model.decoder
    states = model.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
    shape = (config.num_heads, config.d_kv)
    histories = [_keys_and_values(block.layer[1].EncDecAttention, states, shape) for block in decoder.block]
    bias = decoder.block[0].layer[0].SelfAttention.compute_bias(steps, steps)
    cache = [[torch.empty(series * paths, shape[0], steps, shape[1], device=tokens.device, dtype=states.dtype)
              for _ in range(2)] for _ in decoder.block]  # fmt: skip
    last = torch.full((series * paths, 1), config.decoder_start_token_id, device=tokens.device)
    drawn = []
    for step in range(steps):
        states = decoder.embed_tokens(last)
        for block, (keys, values), own in zip(decoder.block, histories, cache, strict=True):
            states = states + _over_own_path(
                block.layer[0], states, own, bias[:, :, step : step + 1, : step + 1], shape, step
            )
            states = states + _over_history(block.layer[1], states, keys, values, mask, shape, paths)
            states = block.layer[2](states)
        states = decoder.final_layer_norm(states)
        if config.scale_decoder_outputs:
            states = states * config.d_model**-0.5
        scores = model.lm_head(states)[:, -1].float()
        scores[:, config.eos_token_id] = -torch.inf  # a path ends when the horizon does
        least = scores.topk(min(50, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
        last = torch.multinomial(scores.softmax(-1), 1)
        drawn.append(last)
    return torch.cat(drawn, dim=1).view(series, paths, steps)


def _keys_and_values(attention: Any, states: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    keys, values = (one(states).unflatten(2, shape).transpose(1, 2) for one in (attention.k, attention.v))
    return keys, values


def _over_own_path(
    layer: Any, states: Tensor, own: list[Tensor], bias: Tensor, shape: tuple[int, int], step: int
) -> Tensor:
    attention, normed = layer.SelfAttention, layer.layer_norm(states)
    for past, new in zip(own, _keys_and_values(attention, normed, shape), strict=True):
        past[:, :, step : step + 1] = new
    query = attention.q(normed).unflatten(2, shape).transpose(1, 2)
    keys, values = (past[:, :, : step + 1] for past in own)
    found = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=1.0)
    return attention.o(found.transpose(1, 2).flatten(2))


def _over_history(
    layer: Any, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, shape: tuple[int, int], paths: int
) -> Tensor:
    """The paths of a series are the queries of one attention: (series, heads, paths, width) over its history."""
    attention = layer.EncDecAttention
    query = attention.q(layer.layer_norm(states)).view(-1, paths, *shape).transpose(1, 2)
    found = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=1.0)
    return attention.o(found.transpose(1, 2).reshape(states.shape[0], 1, -1))
