"""What a model forecasts, stored beside its weights: all that a forecast needs and upstream's config.json does not say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chronos_training.config.fields import UPSTREAM_LEVELS
from chronos_training.config.model_sections import ModelSection
from chronos_training.config.schema import TrainingConfig
from chronos_training.config.training_sections import TrainingSection
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.grid import grid_positions, stamps_at
from chronos_training.data.panel import Panel

FILE = "forecast_task.json"
VERSION = 1
Stamps = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Task:
    """The content of forecast_task.json.

    Lengths are in observations. `levels` are the quantiles that were learnt; where `samples` paths are drawn instead, those
    that were evaluated. `train_end` is the last timestamp that training saw of any series (ISO 8601), `train_ends` that of
    the items for which it is an earlier one: of the dataset named `dataset`, by this training or by one of those that it began
    from. `elsewhere` has both for the other datasets that those saw. What was `assumed` of a model that says nothing has none
    of these.
    """

    family: str
    freq: str
    targets: tuple[str, ...]
    past_covariates: tuple[str, ...]
    known_covariates: tuple[str, ...]
    prediction_length: int
    levels: tuple[float, ...]
    season_length: int | None
    missing_values: str
    minimum: float | None
    context_length: int
    samples: int | None
    seed: int
    train_end: str = ""
    train_ends: Mapping[str, str] = field(default_factory=dict)
    dataset: str = ""
    elsewhere: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def assumed(cls, family: str, settings: Mapping[str, Any], targets: Sequence[str]) -> Task:
        """Return the task of a model without one, of `targets`, as far as its config.json tells (`settings_of`)."""
        return cls(
            family=family,
            freq="",
            targets=tuple(targets),
            past_covariates=(),
            known_covariates=(),
            prediction_length=int(settings["longest_prediction"]),
            levels=tuple(settings["levels"] or UPSTREAM_LEVELS),
            season_length=None,
            missing_values="keep",
            minimum=None,
            context_length=int(settings["context_length"]),
            samples=ModelSection().samples if family == "chronos_t5" else None,
            seed=TrainingSection().seed,
        )

    @classmethod
    def of(cls, config: TrainingConfig, panel: Panel, base: Path | None = None) -> Task:
        """Return the task of a training of `config` on `panel` from the weights in `base`: what those saw, it saw, too."""
        data, model, is_autogluon = config.dataset, config.model, config.model.family == "autogluon"
        parent = read_task(base) if base is not None else None
        seen, elsewhere = last_seen(config, panel), {}
        newest = seen.max()
        if parent is not None:
            elsewhere = parent.datasets()
            if panel.name in elsewhere:
                del elsewhere[panel.name]
                newest = np.maximum(newest, np.datetime64(parent.end_of(panel)))
                seen = np.maximum(seen, parent.ends_of(panel))
        latest, *ends = np.datetime_as_string(np.array([newest, *seen]), unit="s").tolist()
        return cls(
            family=model.family,
            freq=panel.freq,
            targets=tuple(data.targets),
            past_covariates=tuple(data.past_covariates),
            known_covariates=tuple(data.known_covariates),
            prediction_length=config.forecast.prediction_length,
            levels=tuple(config.forecast.quantile_levels if model.family == "chronos_t5" else config.model_levels),
            season_length=config.season_length(panel.manifest),
            missing_values=data.missing_values,
            minimum=config.forecast.minimum,
            context_length=0 if is_autogluon else model.context_length,
            samples=model.samples if model.family == "chronos_t5" else None,
            seed=config.training.seed,
            train_end=latest,
            train_ends={item: end for item, end in zip(panel.item_ids, ends, strict=True) if end != latest},
            dataset=panel.name,
            elsewhere=elsewhere,
        )

    def of_weights(self, family: str, settings: Mapping[str, Any]) -> Task:
        """Return the task of a Chronos model that this predictor fine-tuned, with the `settings` of its config.json."""
        own = Task.assumed(family, settings, self.targets)
        return replace(
            self,
            family=family,
            levels=own.levels,
            context_length=own.context_length,
            samples=own.samples,
            seed=own.seed,
        )

    def write(self, folder: Path) -> None:
        """Write the task into the folder of a model."""
        text = json.dumps({"schema_version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    def datasets(self) -> dict[str, Mapping[str, Any]]:
        """Return up to when each dataset was seen (train_end, train_ends), by name; empty when nothing tells."""
        if not self.train_end:
            return {}
        return {**self.elsewhere, self.dataset: {"train_end": self.train_end, "train_ends": self.train_ends}}

    def end_of(self, panel: Panel) -> str:
        """Return the last timestamp that training saw of the dataset of `panel`; of a dataset that it never met: of its own."""
        return str(self._seen(panel)["train_end"])

    def ends_of(self, panel: Panel) -> Stamps:
        """Return the last timestamp of each series of `panel` that training saw; of a series that it never met: of any."""
        seen = self._seen(panel)
        ends = [seen["train_ends"].get(item, seen["train_end"]) for item in panel.item_ids]
        return np.array(ends, dtype="datetime64[us]")

    def _seen(self, panel: Panel) -> Mapping[str, Any]:
        return self.datasets().get(panel.name) or {"train_end": self.train_end, "train_ends": self.train_ends}


def last_seen(config: TrainingConfig, panel: Panel) -> Stamps:
    """Return the timestamp of the last observation of each series that a training sees: the one before the held-out part."""
    first = grid_positions(panel.starts, panel.freq)
    return stamps_at(first.number + panel.lengths - config.held_out_length - 1, first.phase, panel.freq)


def read_task(folder: Path) -> Task | None:
    """Return the task of the model in `folder`; None where it has none: upstream's models, and those of earlier versions.

    ConfigurationError when the file is there and cannot be used.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is not readable as JSON: {error}.") from None
    if not isinstance(content, dict) or content.pop("schema_version", None) != VERSION:
        raise ConfigurationError(
            f"{path} does not have version {VERSION}, the only one this package supports.",
            hint="Use the version of this package that wrote the model.",
        )
    known = {one.name for one in fields(Task)}
    try:
        lists = {key: tuple(content[key]) for key in ("targets", "past_covariates", "known_covariates", "levels")}
        return Task(**{key: value for key, value in content.items() if key in known} | lists)
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is not a complete forecast task: {error}.", hint="Fetch the model again."
        ) from None
