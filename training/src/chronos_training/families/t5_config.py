"""The architecture that Chronos and Chronos-Bolt share: T5, in the configured size."""

from __future__ import annotations

from typing import Any

from transformers import T5Config

from chronos_training.config.schema import TrainingConfig


def t5_config(
    config: TrainingConfig, model_class: str, pipeline_class: str, chronos: dict[str, Any], **more: Any
) -> T5Config:
    """Return upstream's T5 settings; `chronos` becomes chronos_config, by `pipeline_class` upstream's loader knows the family."""
    size = config.model
    return T5Config(
        d_model=size.d_model,
        d_kv=size.d_kv,
        d_ff=size.d_ff,
        num_layers=size.num_layers,
        num_decoder_layers=size.num_layers,
        num_heads=size.num_heads,
        dropout_rate=size.dropout_rate,
        feed_forward_proj="relu",
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        architectures=[model_class],
        chronos_pipeline_class=pipeline_class,
        chronos_config=chronos,
        **more,
    )
