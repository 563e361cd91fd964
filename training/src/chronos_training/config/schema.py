"""What a training configuration may say. Every field's description names its unit; its range is enforced here.

The documentation table (`chronos_training.config.explain`) and the messages of the loader are made from these
descriptions, so that there is one place to change.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# `Chronos2Pipeline.predict` refuses a model that lacks one of these levels, even for a horizon that needs no
# unrolling; a model that we publish therefore always learns them beside the levels that the user asks for.
UPSTREAM_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

# The season of each frequency, in observations (the table of GluonTS `get_seasonality` for the frequencies that we accept).
SEASON_OF_FREQ = {"D": 7, "B": 5, "W": 1, "h": 24, "30min": 48, "15min": 96, "min": 1440}
SEASON_OF_FREQ |= {"MS": 12, "ME": 12, "QS": 4, "QE": 4, "YS": 1, "YE": 1}

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
# Strict scalar types: "64" and 64.0 are no whole numbers, and `yes` is no number; a guess would hide a typing slip.
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Level = Annotated[Real, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A part of the file. An unknown key is an error: a misspelt key that is ignored costs a whole run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSection(Section):
    """Which published dataset is learnt from."""

    name: Name = Field(
        "birthdays", description="Name of the published dataset, below `cached-datasets/` in the bucket."
    )
    target: str = Field("target", min_length=1, description="Column to forecast; one of the manifest's target columns.")


class ForecastSection(Section):
    """What is to be forecast."""

    prediction_length: Whole = Field(28, ge=1, le=1024, description="Horizon, in observations.")
    quantile_levels: list[Level] = Field(
        list(UPSTREAM_LEVELS),
        min_length=1,
        max_length=99,
        description="Quantiles that are forecast and scored; strictly increasing. The model also learns 0.1 … 0.9, "
        "which upstream's pipeline needs.",
    )
    season_length: Whole | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Season of the seasonal naive baseline and of MASE's scale, in observations; empty: by frequency.",
    )

    @field_validator("quantile_levels")
    @classmethod
    def _increasing(cls, levels: list[float]) -> list[float]:
        if any(b <= a for a, b in pairwise(levels)):
            raise ValueError("must be strictly increasing, for example [0.1, 0.5, 0.9]")
        return levels


class ModelSection(Section):
    """The model's family and size."""

    family: Literal["chronos2"] = Field("chronos2", description="Model family.")
    initialization: Literal["random", "pretrained"] = Field(
        "random",
        description="Where the weights come from. pretrained: from the published model `base`, whose sizes then count "
        "(patch_size to dropout_rate, and levels).",
    )
    base: Name | None = Field(
        None, description="Published model to start from, below `runtime/models/` in the bucket; for pretrained only."
    )
    levels: list[Level] | None = Field(
        None, description="Quantiles that the model learns; empty: forecast.quantile_levels and 0.1 … 0.9."
    )
    context_length: Whole = Field(
        378, ge=2, le=8192, description="History given to the model, in observations; a multiple of patch_size."
    )
    patch_size: Whole = Field(
        14, ge=1, le=512, description="Observations in one token; fits best when it is a multiple of the season."
    )
    d_model: Whole = Field(64, ge=8, le=4096, description="Width of the hidden states.")
    d_kv: Whole = Field(
        16, ge=2, le=512, multiple_of=2, description="Width of one attention head; even (rotary embedding)."
    )
    d_ff: Whole = Field(128, ge=8, le=16384, description="Width of the feed-forward layers.")
    num_layers: Whole = Field(2, ge=1, le=64, description="Encoder layers.")
    num_heads: Whole = Field(4, ge=1, le=64, description="Attention heads.")
    dropout_rate: Real = Field(0.0, ge=0.0, lt=1.0, description="Share of activations dropped while training.")

    @model_validator(mode="after")
    def _base_for_pretrained(self) -> ModelSection:
        if (self.initialization == "pretrained") != (self.base is not None):
            need = (
                "names the published model to start from"
                if self.base is None
                else "is for initialization pretrained only"
            )
            raise ValueError(f"base|base {need}")
        return self

    @model_validator(mode="after")
    def _patches_fill_the_context(self) -> ModelSection:
        if self.context_length % self.patch_size:
            below = self.context_length // self.patch_size * self.patch_size
            near = " or ".join(str(n) for n in (below, below + self.patch_size) if n)
            raise ValueError(
                f"context_length|context_length must be a multiple of patch_size ({self.patch_size}), for example {near}"
            )
        return self


class TrainingSection(Section):
    """How the model learns."""

    steps: Whole = Field(1200, ge=1, le=10_000_000, description="Optimizer steps.")
    batch_size: Whole = Field(32, ge=1, le=65536, description="Windows in one step.")
    learning_rate: Real = Field(6e-3, gt=0.0, le=1.0, description="Peak learning rate of AdamW.")
    lr_scheduler: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        "cosine", description="Course of the learning rate after the warm-up."
    )
    warmup_steps: Whole = Field(60, ge=0, description="Steps of linear warm-up; fewer than steps.")
    weight_decay: Real = Field(0.01, ge=0.0, le=1.0, description="Weight decay of AdamW.")
    max_grad_norm: Real = Field(1.0, gt=0.0, le=1000.0, description="Gradients are scaled down to this norm.")
    seed: Whole = Field(
        0, ge=0, le=2**32 - 1, description="Seed of weights, windows and dropout; the same seed gives the same model."
    )
    log_every_steps: Whole = Field(10, ge=1, description="Steps between two entries of the loss curve.")
    checkpoint_every_steps: Whole = Field(300, ge=1, description="Steps between two checkpoints.")
    keep_checkpoints: Whole = Field(2, ge=1, le=100, description="Newest checkpoints that are kept.")
    cpu_threads: Whole | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads of the computation on a CPU; empty: all cores. A resume is bit-exact with the same number only.",
    )

    @model_validator(mode="after")
    def _warmup_ends(self) -> TrainingSection:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps|warmup_steps must be fewer than steps ({self.steps})")
        return self


class EvaluationSection(Section):
    """The held-out comparison. Its windows are the last of every series; training never sees them."""

    windows: Whole = Field(4, ge=1, le=1000, description="Rolling origins for each series.")
    stride: Whole | None = Field(
        None, ge=1, le=100_000, description="Observations between two origins; empty: prediction_length (no overlap)."
    )
    batch_size: Whole = Field(256, ge=1, le=65536, description="Windows forecast at once.")
    report_series: Whole = Field(6, ge=1, le=48, description="Series drawn in the report, from best to worst.")


class RunSection(Section):
    """Limits of the run."""

    max_runtime_hours: Real = Field(
        12.0,
        gt=0.0,
        le=12.0,
        description="The watcher ends the instance this many hours after its boot; the default is the most.",
    )


class TrainingConfig(Section):
    """The whole file."""

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    name: Name = Field(
        "birthdays-tiny-cpu", description="Name of the model: the folder below `models/` in the results."
    )
    description: str = Field("", max_length=500, description="One sentence for people; shown in the report.")
    dataset: DatasetSection = Field(default_factory=DatasetSection, description="The data.")
    forecast: ForecastSection = Field(default_factory=ForecastSection, description="The task.")
    model: ModelSection = Field(default_factory=ModelSection, description="The model.")
    training: TrainingSection = Field(default_factory=TrainingSection, description="The optimization.")
    evaluation: EvaluationSection = Field(default_factory=EvaluationSection, description="The comparison.")
    run: RunSection = Field(default_factory=RunSection, description="Limits.")

    @property
    def model_levels(self) -> list[float]:
        """Quantile levels that the model learns: its own, else the user's and upstream's, increasing."""
        return sorted(self.model.levels or {*self.forecast.quantile_levels, *UPSTREAM_LEVELS})

    @model_validator(mode="after")
    def _levels_are_learnt(self) -> TrainingConfig:
        missing = [level for level in self.forecast.quantile_levels if level not in self.model_levels]
        if missing:
            known = ", ".join(str(level) for level in self.model_levels)
            raise ValueError(
                f"forecast.quantile_levels|forecast.quantile_levels: {missing[0]} is none of the model's: {known}"
            )
        return self

    @property
    def stride(self) -> int:
        """Observations between two rolling origins."""
        return self.evaluation.stride or self.forecast.prediction_length

    @property
    def held_out_length(self) -> int:
        """Observations at the end of every series that training never touches."""
        return (self.evaluation.windows - 1) * self.stride + self.forecast.prediction_length

    @property
    def shortest_usable_series(self) -> int:
        """Length that every series must have: held-out part, one full context and one horizon to learn."""
        return self.held_out_length + self.model.context_length + self.forecast.prediction_length

    def season_length(self, freq: str) -> int:
        """Return the season in observations: the configured one, else the usual one of `freq` (1 when unknown)."""
        return self.forecast.season_length or SEASON_OF_FREQ.get(freq.split("-")[0], 1)
