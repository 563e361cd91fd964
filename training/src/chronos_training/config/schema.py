"""What a training configuration may say. Every field's description names its unit; its range is enforced here.

The documentation table (`chronos_training.config.explain`) and the messages of the loader are made from these
descriptions, so that there is one place to change.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from chronos_training.config.autogluon_section import AutogluonSection
from chronos_training.config.data_sections import DatasetSection, ForecastSection
from chronos_training.config.family_rules import unused
from chronos_training.config.fields import UPSTREAM_LEVELS, Name, Section
from chronos_training.config.model_sections import ModelSection
from chronos_training.config.season import Season, season_of
from chronos_training.config.training_sections import EvaluationSection, RunSection, TrainingSection

# The shortest history that AutoGluon fits a model to (TimeSeriesPredictor), beside one horizon and one observation.
AUTOGLUON_SHORTEST = 5

__all__ = ["UPSTREAM_LEVELS", "TrainingConfig"]


class TrainingConfig(Section):
    """The whole file."""

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    name: Name = Field(
        "birthdays-tiny-cpu", description="Name of the model: the folder below `models/` in the results."
    )
    description: str = Field(
        "", max_length=500, description="One sentence that describes the run; shown in the report."
    )
    dataset: DatasetSection = Field(default_factory=DatasetSection, description="The data.")
    forecast: ForecastSection = Field(default_factory=ForecastSection, description="The task.")
    model: ModelSection = Field(default_factory=ModelSection, description="The model.")
    training: TrainingSection = Field(default_factory=TrainingSection, description="The optimization.")
    autogluon: AutogluonSection = Field(default_factory=AutogluonSection, description="AutoGluon.")
    evaluation: EvaluationSection = Field(default_factory=EvaluationSection, description="The comparison.")
    run: RunSection = Field(default_factory=RunSection, description="Limits.")
    automatic: dict[str, str] = Field(
        {},
        description="Written by the launch: the keys whose values it chose from the data (auto), each with its reason.",
    )

    @property
    def model_levels(self) -> list[float]:
        """Quantile levels that the model learns: its own, else the user's and upstream's, increasing."""
        if self.model.family == "autogluon":
            return list(self.forecast.quantile_levels)
        return sorted(self.model.levels or {*self.forecast.quantile_levels, *UPSTREAM_LEVELS})

    @model_validator(mode="after")
    def _every_setting_counts(self) -> TrainingConfig:
        for key, reason in unused(self, self.model.family):
            raise ValueError(f"{key}|{reason}")
        return self

    @model_validator(mode="after")
    def _levels_are_learnt(self) -> TrainingConfig:
        if self.model.family not in ("chronos2", "chronos_bolt"):
            return self  # quantiles of samples have any level
        missing = [level for level in self.forecast.quantile_levels if level not in self.model_levels]
        if missing:
            known = ", ".join(str(level) for level in self.model_levels)
            raise ValueError(f"forecast.quantile_levels|{missing[0]} is not among the model's levels: {known}")
        return self

    @model_validator(mode="after")
    def _family_takes_the_columns(self) -> TrainingConfig:
        family, data = self.model.family, self.dataset
        if family != "chronos2" and len(data.targets) > 1:
            raise ValueError(f"dataset.targets|family {family} forecasts one column; use chronos2 for several")
        for key in ("past_covariates", "known_covariates"):
            if getattr(data, key) and family in ("chronos_bolt", "chronos_t5"):
                raise ValueError(
                    f"dataset.{key}|family {family} does not support covariates; chronos2 and autogluon do"
                )
        if data.known_covariates and self.training.mixup_share:
            raise ValueError("training.mixup_share|windows with covariates cannot be mixed")
        return self

    @model_validator(mode="after")
    def _batch_divides(self) -> TrainingConfig:
        parts = self.run.ranks * self.training.gradient_accumulation_steps
        if self.training.batch_size % parts:
            raise ValueError(
                f"training.batch_size|must be a multiple of run.instances x run.processes x training. gradient_accumulation_steps ({parts})"
            )
        return self

    @model_validator(mode="after")
    def _seeds_are_alone(self) -> TrainingConfig:
        if self.evaluation.seeds > 1 and self.run.ranks > 1:
            raise ValueError("evaluation.seeds|more than one needs a single process (run.instances and run.processes)")
        return self

    @model_validator(mode="after")
    def _refit_is_alone(self) -> TrainingConfig:
        if self.training.refit and self.run.ranks > 1:
            raise ValueError("training.refit|it needs a single process (run.instances and run.processes)")
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
    def validation_length(self) -> int:
        """Observations before the held-out part that choose the best checkpoint; training does not touch them either."""
        return self.training.validation_windows * self.forecast.prediction_length

    @property
    def shortest_usable_series(self) -> int:
        """Length that every series must have: held-out part, validation, one context and one horizon to learn."""
        if self.model.family == "autogluon":
            horizon, windows = self.forecast.prediction_length, self.autogluon.validation_windows or 1
            return self.held_out_length + windows * horizon + max(horizon + 1, AUTOGLUON_SHORTEST)
        unseen = self.held_out_length + self.validation_length
        return unseen + self.model.shortest_context + self.forecast.prediction_length

    def season(self, manifest: dict[str, Any]) -> Season:
        """Return the season for the dataset of `manifest`, with its reason."""
        # With short_series: drop, one series that is long enough will do.
        length = manifest.get("longest_series" if self.dataset.short_series == "drop" else "shortest_series")
        history = None if length is None else int(length) - self.held_out_length
        return season_of(self.forecast.season_length, manifest, history)

    def season_length(self, manifest: dict[str, Any]) -> int:
        """Return the season in observations for the dataset of `manifest`."""
        return self.season(manifest).length
