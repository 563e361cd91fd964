"""The sections about the optimization and the run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from chronos_training.config.fields import Section, StrictFloat, StrictInt


class TrainingSection(Section):
    """How the model learns."""

    steps: StrictInt = Field(1200, ge=1, le=10_000_000, description="Optimizer steps.")
    batch_size: StrictInt = Field(
        32, ge=1, le=65536, description="Windows in one optimizer step, over all processes and accumulated parts."
    )
    gradient_accumulation_steps: StrictInt = Field(
        1,
        ge=1,
        le=1024,
        description="Parts into which a process splits its share of the batch when it does not fit in memory.",
    )
    learning_rate: StrictFloat = Field(6e-3, ge=1e-9, le=1.0, description="Peak learning rate of AdamW.")
    lr_scheduler: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        "cosine", description="Learning-rate schedule after the warm-up."
    )
    warmup_steps: StrictInt = Field(60, ge=0, le=10_000_000, description="Steps of linear warm-up; fewer than steps.")
    weight_decay: StrictFloat = Field(0.01, ge=0.0, le=1.0, description="Weight decay of AdamW.")
    max_grad_norm: StrictFloat = Field(1.0, ge=1e-4, le=1000.0, description="Gradients are scaled down to this norm.")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        description="Number format of the forward pass. auto: bf16 where the GPU supports it, else (T4, CPU) fp32. fp16 overflows in T5-style models.",
    )
    method: Literal["full", "lora"] = Field(
        "full",
        description="Which weights are trained: all, or low-rank additions that are merged before the model is stored.",
    )
    lora_rank: StrictInt = Field(8, ge=1, le=1024, description="Rank of the additions; for method lora.")
    lora_alpha: StrictInt = Field(
        16, ge=1, le=4096, description="Scale of the additions (alpha / rank); for method lora."
    )
    lora_dropout: StrictFloat = Field(
        0.0, ge=0.0, lt=1.0, description="Fraction of the additions' input dropped; for method lora."
    )
    synthetic_share: StrictFloat = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Fraction of windows taken from synthetic series (KernelSynth: random Gaussian processes).",
    )
    synthetic_series: StrictInt = Field(
        256,
        ge=1,
        le=1_000_000,
        description="Synthetic series created before training when synthetic_share is not 0.",
    )
    mixup_share: StrictFloat = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Fraction of windows that are weighted sums of up to three real ones (TSMixup).",
    )
    validation_windows: StrictInt = Field(
        0,
        ge=0,
        le=1000,
        description="Windows before the held-out part on which the best checkpoint is chosen; training does not see them. 0: the last checkpoint is used.",
    )
    early_stopping_patience: StrictInt | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Checkpoints without a better validation loss after which training stops; empty: it runs to its last step.",
    )
    refit: bool = Field(
        False,
        description="Whether the model is trained again on everything before the held-out part, from the start and for the "
        "number of steps that validation found best; needs validation_windows.",
    )
    time_budget_minutes: StrictFloat = Field(
        5.0,
        ge=0.1,
        le=720.0,
        description="Estimated minutes that automatic steps should fit in; search and refit of all evaluation.seeds together.",
    )
    seed: StrictInt = Field(
        0, ge=0, le=2**32 - 1, description="Seed of weights, windows and dropout; the same seed gives the same model."
    )
    log_every_steps: StrictInt = Field(
        10, ge=1, le=10_000_000, description="Steps between entries of the loss curve; the last step always has one."
    )
    checkpoint_every_steps: StrictInt = Field(
        300, ge=1, le=10_000_000, description="Steps between checkpoints (and validations)."
    )
    keep_checkpoints: StrictInt = Field(2, ge=1, le=100, description="Newest checkpoints to keep, besides the best.")
    cpu_threads: StrictInt | None = Field(
        None,
        ge=1,
        le=1024,
        description="CPU threads; empty: all cores. A resume is bit-exact only with the same number.",
    )

    @model_validator(mode="after")
    def _warmup_ends(self) -> TrainingSection:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps|warmup_steps must be fewer than steps ({self.steps})")
        return self

    @model_validator(mode="after")
    def _shares_leave_real_windows(self) -> TrainingSection:
        if self.synthetic_share + self.mixup_share > 1.0:
            raise ValueError("mixup_share|mixup_share and synthetic_share together must be at most 1")
        return self

    @model_validator(mode="after")
    def _patience_has_a_measure(self) -> TrainingSection:
        if self.early_stopping_patience is not None and not self.validation_windows:
            raise ValueError("validation_windows|validation_windows must be 1 or more for early_stopping_patience")
        if self.refit and not self.validation_windows:
            raise ValueError("refit|refit needs validation, but validation_windows is 0")
        return self


class EvaluationSection(Section):
    """The held-out comparison. Its windows are the last of every series; training never sees them."""

    windows: StrictInt = Field(4, ge=1, le=1000, description="Rolling origins per series.")
    stride: StrictInt | None = Field(
        None, ge=1, le=100_000, description="Observations between two origins; empty: prediction_length (no overlap)."
    )
    batch_size: StrictInt = Field(256, ge=1, le=65536, description="Windows forecast at once.")
    baselines: list[Literal["naive", "auto_ets", "auto_theta", "croston", "zero_shot"]] = Field(
        ["naive", "auto_ets", "auto_theta", "croston", "zero_shot"],
        description="What the model is compared with besides seasonal naive; croston is for intermittent series only, "
        "and zero_shot is the base model.",
    )
    rivals_seconds: StrictInt = Field(
        60,
        ge=1,
        le=86_400,
        description="Estimated single-core seconds that fitting auto_ets and auto_theta may take; beyond that they are compared "
        "on a sample of the series, drawn with the seed.",
    )
    combine: list[Literal["model", "auto_ets", "auto_theta", "croston", "seasonal_naive"]] = Field(
        [],
        description="Forecasters whose quantiles are averaged, with weights from the validation windows, into a separate forecaster "
        "that is judged alongside the model; empty: none. Needs training.validation_windows; not for autogluon.",
    )
    recalibrate: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether the quantiles are recalibrated (split conformal) on the validation windows. auto: where that lowers "
        "the loss on windows it was not fitted to. Needs training.validation_windows; not for autogluon.",
    )
    seeds: StrictInt = Field(
        1,
        ge=1,
        le=16,
        description="Trainings with seeds from training.seed on. The first one's model is stored; the others show how much of the "
        "comparison is chance, and the weakest verdict counts. Each costs the time of a training.",
    )
    confidence: StrictFloat = Field(
        0.95, gt=0.5, lt=1.0, description="Coverage of the bootstrap intervals over series and dates."
    )
    bootstrap_samples: StrictInt = Field(1000, ge=100, le=100_000, description="Resamples of a bootstrap interval.")
    publish_if: Literal[
        "always",
        "better_than_seasonal_naive",
        "not_worse_than_seasonal_naive",
        "better_than_zero_shot",
        "better_than_all",
    ] = Field(
        "not_worse_than_seasonal_naive",
        description="What must hold for the model to be recommended and offered as the latest of its name (model.base_run: latest); "
        "it is stored in any case. Too little evidence, and intervals that are too narrow, fail every condition but always.",
    )
    publish_without_evidence: Annotated[bool, Field(strict=True)] = Field(
        False,
        description="Treat what too few series, windows or dates cannot tell as not distinguishable when publish_if is decided.",
    )
    coverage_tolerance: StrictFloat = Field(
        0.1,
        ge=0.0,
        le=1.0,
        description="How far the coverage of the outermost quantiles may lie below what they promise before the intervals are "
        "too narrow to recommend the model; 1: never.",
    )
    cost_basis_points: StrictFloat = Field(
        5.0,
        ge=0.0,
        le=1000.0,
        description="Cost of a change of position for the Sharpe ratio, in 1/10,000 of the traded value.",
    )
    report_series: StrictInt = Field(6, ge=1, le=48, description="Series drawn in the report, from best to worst.")

    @model_validator(mode="after")
    def _members_are_forecast(self) -> EvaluationSection:
        if self.combine and len(set(self.combine)) < 2:
            raise ValueError("combine|a combination needs at least two forecasters, each once")
        for name in self.combine:
            if name not in ("model", "seasonal_naive", *self.baselines):
                raise ValueError(f"combine|{name!r} is not in evaluation.baselines, so nothing is known about it")
        return self


class RunSection(Section):
    """Limits and size of the run."""

    max_runtime_hours: StrictFloat = Field(
        12.0,
        ge=0.01,
        le=12.0,
        description="The watcher ends the instance this many hours after its boot; the default is the maximum.",
    )
    max_cost: StrictFloat | None = Field(
        None,
        ge=0.01,
        le=10_000.0,
        description="The most the run may cost, in US dollars, at the prices of the launch: instances with volumes and addresses, up to the last guard. Shortens max_runtime_hours; empty: no cap.",
    )
    processes: StrictInt = Field(
        1,
        ge=1,
        le=64,
        description="Training processes on each instance, started by torchrun; one per GPU, or per CPU socket.",
    )
    instances: StrictInt = Field(
        1,
        ge=1,
        le=16,
        description="Instances of the run, of one type in one zone; each has its own copy of the data, and each is billed.",
    )

    @property
    def ranks(self) -> int:
        """Training processes on all instances together."""
        return self.instances * self.processes
