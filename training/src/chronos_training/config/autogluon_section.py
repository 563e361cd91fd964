"""The section about AutoGluon, the second kind of training: many models side by side, and an ensemble of them."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from chronos_training.config.fields import Section, StrictFloat, StrictInt

# What AutoGluon 1.6 can fit here, by the names of its own registry (a test compares them).
FITTED_MODELS = (
    "ADIDA", "ARIMA", "AutoARIMA", "AutoCES", "AutoETS", "Average", "Croston", "DLinear", "DeepAR", "DirectTabular",
    "DynamicOptimizedTheta", "ETS", "IMAPA", "NPTS", "Naive", "PatchTST", "PerStepTabular", "RecursiveTabular",
    "SeasonalAverage", "SeasonalNaive", "SimpleFeedForward", "TemporalFusionTransformer", "Theta", "TiDE", "WaveNet",
    "Zero",
)  # fmt: skip
# Its models that begin with somebody's weights, which it would take from a hub; no instance reaches one.
CHRONOS_MODELS = ("Chronos", "Chronos2", "Chronos-2")
PRETRAINED_MODELS = (*CHRONOS_MODELS, "Toto", "Toto2")

Hyperparameters = dict[str, Any]


class AutogluonSection(Section):
    """What AutoGluon fits, for how long, and how Chronos takes part."""

    presets: Literal["medium_quality", "high_quality", "best_quality"] = Field(
        "medium_quality",
        description="AutoGluon's choice of models and validation. Models that download weights are left out.",
    )
    models: Annotated[
        list[str] | dict[str, Hyperparameters] | None,
        Field(
            json_schema_extra={"allowed": "a list of AutoGluon's model names, or names with hyperparameters, or empty"}
        ),
    ] = Field(
        None,
        description="Models to fit instead of those of presets; a value holds AutoGluon's hyperparameters for the model.",
    )
    time_limit_minutes: StrictFloat = Field(
        60.0,
        gt=0.0,
        le=720.0,
        description="Minutes for all models and the ensemble; less when run.max_runtime_hours leaves less.",
    )
    ensemble: Annotated[bool, Field(strict=True)] = Field(
        True, description="Whether to build a weighted ensemble of the models."
    )
    eval_metric: Literal["WQL", "SQL", "MASE", "RMSSE", "MAE", "RMSE", "WAPE", "SMAPE"] = Field(
        "WQL", description="Metric by which AutoGluon chooses models and weights on its validation windows."
    )
    validation_windows: StrictInt | None = Field(
        None,
        ge=1,
        le=20,
        description="Windows of one horizon before the held-out part on which AutoGluon validates; empty: set by presets.",
    )
    chronos: list[Literal["zero_shot", "fine_tuned"]] = Field(
        ["zero_shot", "fine_tuned"],
        description="How the Chronos model of model.base or model.base_run takes part; unused without one of them.",
    )
    fine_tune_mode: Literal["lora", "full"] = Field(
        "lora", description="Which weights of Chronos-2 are trained; the older families always train all."
    )
    fine_tune_steps: StrictInt = Field(1000, ge=1, le=1_000_000, description="Optimizer steps of the fine-tuning.")
    fine_tune_learning_rate: StrictFloat = Field(1e-5, ge=1e-9, le=1.0, description="Learning rate of the fine-tuning.")
    fine_tune_batch_size: StrictInt = Field(32, ge=1, le=65536, description="Windows in one step of the fine-tuning.")
    fine_tune_context_length: StrictInt = Field(
        2048, ge=1, le=8192, description="Longest history in the fine-tuning of Chronos-2, in observations."
    )

    # Before pydantic's own check, which would tell of each part of the union.
    @field_validator("models", mode="before")
    @classmethod
    def _known_models(cls, models: Any) -> Any:
        if models is None:
            return None
        if isinstance(models, dict):
            models = {name: {} if settings is None else settings for name, settings in models.items()}
            bad = next((name for name, settings in models.items() if not isinstance(settings, dict)), None)
            if bad is not None:
                raise ValueError(f"the hyperparameters of {bad} must be a section with AutoGluon's names")
        elif not isinstance(models, list) or not all(isinstance(name, str) for name in models):
            raise ValueError("must be a list of AutoGluon's model names, or names with hyperparameters")
        if not models:
            raise ValueError("list a model, or leave it empty to use those of presets")
        if len(set(models)) < len(models):
            raise ValueError("a model is listed twice")
        for name in models:
            _must_be_fitted(name)
        return models

    @field_validator("chronos")
    @classmethod
    def _each_way_once(cls, ways: list[str]) -> list[str]:
        if not ways or len(set(ways)) < len(ways):
            raise ValueError("list zero_shot, fine_tuned or both, each once")
        return ways


def _must_be_fitted(name: str) -> None:
    if name in CHRONOS_MODELS:
        raise ValueError(
            f"{name} is added through model.base or model.base_run (initialization pretrained), not by name"
        )
    if name in PRETRAINED_MODELS:
        raise ValueError(f"{name} downloads its weights, and instances cannot reach the hub")
    if name not in FITTED_MODELS:
        near = difflib.get_close_matches(name, FITTED_MODELS, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(FITTED_MODELS)}"
        raise ValueError(f"{name} is not an AutoGluon model; {known}")
