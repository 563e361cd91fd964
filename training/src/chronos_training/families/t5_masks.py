"""Attention masks for T5 as it adds them to the scores.

Given a mask of zeros and ones, transformers asks whether it hides anything, in every forward. The answer has to come from the
device, which must first finish everything that it was given: a GPU then waits for each kernel to be started.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def added_mask(seen: Tensor) -> Tensor:
    """Return what is added to attention scores (batch, 1, 1, length), 0 or the lowest number, for `seen` (batch, length)."""
    return (1.0 - seen.to(torch.float32))[:, None, None] * torch.finfo(torch.float32).min


@contextmanager
def added_masks(model: Any) -> Iterator[None]:
    """Let encoder and decoder of a T5 model get their masks in that form."""
    hooks = [stack.register_forward_pre_hook(_add, with_kwargs=True) for stack in (model.encoder, model.decoder)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _add(_stack: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for name in ("attention_mask", "encoder_attention_mask"):
        mask = named.get(name)
        if mask is not None and mask.ndim == 2:
            named[name] = added_mask(mask)
    return given, named
