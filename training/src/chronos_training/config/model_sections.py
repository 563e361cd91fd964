"""The sections about the model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chronos_training.config.fields import BaseName, EarlierRun, Quantile, Section, StrictFloat, StrictInt

PATCHED = ("chronos2", "chronos_bolt")


class ModelSection(Section):
    """The model's family, where its weights come from, and its size."""

    family: Literal["chronos2", "chronos_bolt", "chronos_t5", "autogluon"] = Field(
        "chronos2",
        description="Model family. autogluon: many models and an ensemble, in a separate environment; see its section.",
    )
    initialization: Literal["random", "pretrained"] = Field(
        "random",
        description="Where the weights come from. pretrained: from `base` or `base_run`, whose sizes then apply "
        "(patch_size to high_limit, and levels); auto: from a base model of this package where the dataset is small and the "
        "file gives no sizes, else random. autogluon: random means without Chronos.",
    )
    base: BaseName | None = Field(
        None,
        description="Model to start from: a published one, below `runtime/models/` in the bucket, or builtin:chronos-2-small "
        "or builtin:chronos-bolt-small, which come with this package; for pretrained only.",
    )
    base_run: EarlierRun | None = Field(
        None,
        description="Completed run whose model is fine-tuned, or latest: the newest recommended model of this `name` "
        "(evaluation.publish_if); for pretrained only, instead of base.",
    )
    levels: list[Quantile] | None = Field(
        None, description="Quantiles the model is trained for; empty: forecast.quantile_levels and 0.1 … 0.9."
    )
    context_length: StrictInt = Field(
        378, ge=2, le=8192, description="History given to the model, in observations; a multiple of patch_size."
    )
    min_context: StrictInt | None = Field(
        None,
        ge=1,
        le=8192,
        description="Shortest history of a training window, which is padded; empty: context_length. Lower it for short series.",
    )
    patch_size: StrictInt = Field(
        14,
        ge=1,
        le=512,
        description="Observations in one token (chronos2, chronos_bolt); fits best when it is a multiple of the season.",
    )
    d_model: StrictInt = Field(64, ge=8, le=4096, description="Width of the hidden states.")
    d_kv: StrictInt = Field(
        16, ge=2, le=512, multiple_of=2, description="Width of one attention head; even (rotary embedding)."
    )
    d_ff: StrictInt = Field(128, ge=8, le=16384, description="Width of the feed-forward layers.")
    num_layers: StrictInt = Field(
        2, ge=1, le=64, description="Encoder layers; chronos_bolt and chronos_t5 have as many decoder layers."
    )
    num_heads: StrictInt = Field(4, ge=1, le=64, description="Attention heads.")
    dropout_rate: StrictFloat = Field(0.0, ge=0.0, lt=1.0, description="Fraction of activations dropped in training.")
    vocabulary: StrictInt = Field(
        4096, ge=16, le=65536, description="Tokens of chronos_t5: equal bins of the scaled values between the limits."
    )
    low_limit: StrictFloat = Field(
        -15.0,
        ge=-1000.0,
        le=1000.0,
        description="Lowest value chronos_t5 can distinguish, in mean absolute values of the history; 0 for counts.",
    )
    high_limit: StrictFloat = Field(
        15.0,
        ge=-1000.0,
        le=1000.0,
        description="Highest value. Narrow limits give fine bins: series that stay near their level need 2 or 3 here, not 15.",
    )
    samples: StrictInt = Field(
        20, ge=1, le=1000, description="Sample paths of a forecast of chronos_t5; its quantiles are taken from them."
    )

    @model_validator(mode="after")
    def _base_for_pretrained(self) -> ModelSection:
        given = [key for key in ("base", "base_run") if getattr(self, key) is not None]
        if self.initialization == "pretrained" and not given:
            raise ValueError("base|base must name the published model to start from (or base_run a run)")
        if self.initialization == "random" and given:
            raise ValueError(f"{given[0]}|{given[0]} applies to initialization pretrained only")
        if len(given) > 1:
            raise ValueError("base_run|base_run and base exclude each other")
        return self

    @model_validator(mode="after")
    def _limits_in_order(self) -> ModelSection:
        if self.low_limit >= self.high_limit:
            raise ValueError(f"low_limit|low_limit must be less than high_limit ({self.high_limit})")
        return self

    @model_validator(mode="after")
    def _patches_fill_the_context(self) -> ModelSection:
        if self.family in PATCHED and self.context_length % self.patch_size:
            below = self.context_length // self.patch_size * self.patch_size
            near = " or ".join(str(n) for n in (below, below + self.patch_size) if n)
            raise ValueError(
                f"context_length|context_length must be a multiple of patch_size ({self.patch_size}), for example {near}"
            )
        if self.min_context is not None and self.min_context > self.context_length:
            raise ValueError(f"min_context|min_context must be at most context_length ({self.context_length})")
        return self

    @property
    def shortest_context(self) -> int:
        """Observations of history that a training window has at least."""
        return self.min_context or self.context_length
