"""The sections about the data and the task."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from chronos_training.config.fields import UPSTREAM_LEVELS, Column, Name, Quantile, Section, StrictFloat, StrictInt


class DatasetSection(Section):
    """Which published dataset is learnt from, and what is done about series that cannot be used as they are."""

    name: Name = Field(
        "birthdays", description="Name of the published dataset, below `cached-datasets/` in the bucket."
    )
    targets: list[Column] = Field(
        ["target"],
        min_length=1,
        max_length=64,
        description="Columns to forecast, from the manifest's target columns. Several are forecast jointly, by chronos2 only.",
    )
    past_covariates: list[Column] = Field(
        [], max_length=256, description="Columns known only up to the origin; chronos2 and autogluon."
    )
    known_covariates: list[Column] = Field(
        [],
        max_length=256,
        description="Columns known over the horizon too, such as holidays; chronos2 and autogluon.",
    )
    short_series: Literal["refuse", "drop"] = Field(
        "refuse", description="How to handle series too short for the held-out part and one window."
    )
    constant_series: Literal["keep", "drop", "refuse"] = Field(
        "keep", description="How to handle series that never change in the train split."
    )
    missing_values: Literal["keep", "interpolate", "forward_fill", "refuse"] = Field(
        "keep",
        description="How training handles missing observations; keep: the model masks them. Held-out values are never filled.",
    )

    @model_validator(mode="after")
    def _each_column_once(self) -> DatasetSection:
        seen: dict[str, str] = {}
        for key in ("targets", "past_covariates", "known_covariates"):
            for column in getattr(self, key):
                if column in seen:
                    raise ValueError(f"{key}|{key}: {column!r} is in {seen[column]} already")
                seen[column] = key
        return self


class ForecastSection(Section):
    """What is to be forecast."""

    prediction_length: StrictInt = Field(28, ge=1, le=1024, description="Horizon, in observations.")
    quantile_levels: list[Quantile] = Field(
        list(UPSTREAM_LEVELS),
        min_length=1,
        max_length=99,
        description="Quantiles that are forecast and scored; strictly increasing. The model is also trained for 0.1 … 0.9, "
        "which upstream's pipeline needs.",
    )
    season_length: Annotated[StrictInt, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        "auto",
        description="Season of seasonal naive, AutoETS, AutoTheta and of MASE's scale, in observations. auto: the season of the "
        "calendar after which the data repeat best; the plan says why.",
    )
    target_kind: Literal["level", "price", "return"] = Field(
        "level", description="What the target is. For a price or a return, a Sharpe ratio is computed too."
    )
    minimum: StrictFloat | None = Field(
        None,
        ge=-1e38,
        le=1e38,
        description="Lowest value the target can have, such as 0 for counts: no forecast quantile is below it. "
        "Empty: no bound.",
    )

    @field_validator("quantile_levels")
    @classmethod
    def _increasing(cls, levels: list[float]) -> list[float]:
        if any(b <= a for a, b in pairwise(levels)):
            raise ValueError("must be strictly increasing, for example [0.1, 0.5, 0.9]")
        return levels
