"""Automatic settings: what `auto` stands for, decided once, as soon as the dataset's manifest is known.

A configuration file that leaves out a key of KEYS, or says `auto`, leaves it open: `open_keys` records it in
`TrainingConfig.automatic` with an empty reason. `resolve` fills the open keys from frequency, season, lengths, number of
series, device and time budget, and gives a reason for each. The same configuration and manifest always give the same
values; the run spec stores them, so that an instance trains exactly what the plan showed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from chronos_training.config.messages import lines_of
from chronos_training.config.model_sections import PATCHED
from chronos_training.config.schema import TrainingConfig
from chronos_training.config.season import candidates
from chronos_training.config.size import step_seconds
from chronos_training.core.errors import ConfigurationError

AUTO = "auto"
# Learning rates for pretrained weights: (width at most, rate, reason).
_PRETRAINED_RATES = (
    (128, 1e-3, "the best rate for the small base models of this package"),
    (256, 1e-4, "low, to keep what the pretrained model learned"),
    (math.inf, 1e-5, "very low, to keep what the large pretrained model learned"),
)
_HISTORY = ("model.context_length", "model.min_context", "model.patch_size")
# A file that gives one of these has its own idea of the model; its weights are then random unless it says otherwise.
_WEIGHTS = ("model.base", "model.base_run", "model.patch_size", "model.levels", "model.dropout_rate")
_WIDTH = ("model.d_model", "model.d_kv", "model.d_ff", "model.num_layers", "model.num_heads")
# How long to train, and what decides it, belong together: where a file gives the steps, the others keep their defaults.
_LEARNING = (
    "training.steps", "training.warmup_steps", "training.validation_windows", "training.early_stopping_patience",
    "training.checkpoint_every_steps", "training.refit", "training.cpu_threads", "training.mixup_share",
)  # fmt: skip
KEYS = ("model.initialization", *_HISTORY, *_WIDTH, "training.learning_rate", *_LEARNING)

MOST_TOKENS = 32
STEPS = 1200
USUAL_WARMUP = 60  # the built-in default, where a file gives more steps than this
VALIDATIONS = 12  # checkpoints in the search for the number of steps
PATIENCE = 6
# At most so many passes over the distinct windows, and at least so many steps. More passes memorize them: on 32 quarterly
# series of 36 observations, 1,200 steps (57 passes) gave 1.05 of seasonal naive, with an 80 % interval that covered 29 %.
PASSES, FEWEST_STEPS = 25, 200
MIXED = 0.3


@dataclass(frozen=True)
class Facts:
    """What a manifest says: cycles, the number of series, and their lengths; the lengths are of the series that count.

    Cycles are those of the data or of the calendar, ascending, in observations.
    """

    cycles: tuple[int, ...]
    items: int
    shortest: int
    usual: int
    longest: int

    @classmethod
    def of(cls, config: TrainingConfig, manifest: dict[str, Any]) -> Facts:
        """Return the facts of a dataset; with short_series: drop, short series do not count."""
        items, longest = max(int(manifest.get("items", 1)), 1), int(manifest.get("longest_series", 0))
        usual = min(int(manifest.get("rows", 0)) // items or longest, longest)
        dropping = config.dataset.short_series == "drop"
        shortest = usual if dropping else int(manifest.get("shortest_series", longest))
        season = config.season_length(manifest)
        cycles = {season, *(length for _, length in candidates(str(manifest.get("freq", ""))))} if season > 1 else set()
        return cls(tuple(sorted(cycles)), items, shortest, usual, longest)


def open_keys(given: dict[str, Any]) -> dict[str, str]:
    """Take every `auto` out of the sections of a merged file, and return the keys that are left open, without reasons.

    A key that depends on an open key and is not given is open, too; a file that gives the steps decides how to train.
    """
    asked = set()
    for key in KEYS:
        section, name = key.split(".")
        part = given.get(section)
        if isinstance(part, dict) and part.get(name) == AUTO:
            asked.add(key)
            del part[name]
    there = {f"{section}.{name}" for section, part in given.items() if isinstance(part, dict) for name in part}
    model = given.get("model") if isinstance(given.get("model"), dict) else {}
    if (model or {}).get("family", "chronos2") not in PATCHED:
        return dict.fromkeys(asked, "")
    weights_open = not there.intersection((*_WIDTH, *_WEIGHTS))
    steps_open = "training.steps" not in there
    width_open = not there.intersection(_WIDTH)
    history_open = "model.context_length" not in there
    training = given.get("training")
    steps = training.get("steps") if isinstance(training, dict) else None
    few_steps = isinstance(steps, int) and steps <= USUAL_WARMUP
    found = {
        key
        for key in KEYS
        if key not in there
        and (
            key in asked
            or (key == "model.initialization" and weights_open)
            or (key in _LEARNING and steps_open)
            or (key in _WIDTH and width_open)
            or key in ("model.context_length", "model.patch_size", "training.learning_rate")
            or (key == "model.min_context" and history_open)
            or (key == "training.warmup_steps" and few_steps)
        )
    }
    return {key: "" for key in KEYS if key in found}


def stand_ins(given: dict[str, Any], opened: dict[str, str]) -> dict[str, Any]:
    """Return a merged file with values for open keys that fit the given ones, so that the rest can be validated."""
    parts = {name: given.get(name, {}) for name in ("model", "training")}
    if not all(isinstance(part, dict) for part in parts.values()):
        return given  # validation will refuse it
    model, training = dict(parts["model"]), dict(parts["training"])
    patch, context = model.get("patch_size"), model.get("context_length")
    if "model.context_length" in opened and isinstance(patch, int) and 0 < patch <= 512:
        least = model.get("min_context")
        wanted = max(378, least if isinstance(least, int) else 0)
        model["context_length"] = max(wanted // patch, 1) * patch if wanted == 378 else -(-wanted // patch) * patch
    elif "model.patch_size" in opened and isinstance(context, int) and context >= 2:
        model["patch_size"] = max(size for size in range(1, 15) if context % size == 0)
    steps = training.get("steps")
    if "training.warmup_steps" in opened and isinstance(steps, int) and 0 < steps <= USUAL_WARMUP:
        training["warmup_steps"] = steps // 20
    if "training.steps" in opened and isinstance(training.get("warmup_steps"), int):
        training["steps"] = max(STEPS, training["warmup_steps"] + 1)
    if "training.validation_windows" in opened and training.get("early_stopping_patience"):
        training["validation_windows"] = 1
    changed = {"model": model, "training": training}
    return given | {name: part for name, part in changed.items() if part or name in given}


def is_resolved(config: TrainingConfig) -> bool:
    """Return whether nothing is left open."""
    return all(config.automatic.values())


def automatic_line(config: TrainingConfig, key: str, reason: str) -> str:
    """Return `training.steps auto -> 600: why`, without an arrow while the key is open."""
    if not reason:
        return f"{key} auto: chosen from the data"
    section, name = key.split(".")
    value = getattr(getattr(config, section), name)
    return f"{key} auto -> {'none' if value is None else str(value).lower() if isinstance(value, bool) else value}: {reason}"


def resolve(
    config: TrainingConfig, manifest: dict[str, Any], device: str, longest_context: int | None = None
) -> TrainingConfig:
    """Return `config` with a value and a reason for each open key, chosen for the dataset of `manifest`.

    `longest_context` is the longest context of pretrained weights, in observations. ConfigurationError when no value fits the
    given ones.
    """
    if is_resolved(config):
        return config
    if config.model.family not in PATCHED:
        first = next(key for key, reason in config.automatic.items() if not reason)
        raise ConfigurationError(
            f"{first}: auto is for the families {' and '.join(PATCHED)}, but model.family is {config.model.family}.",
            hint="Give a number, or leave the key out.",
        )
    choices = _Choices(config, Facts.of(config, manifest), device, longest_context)
    try:
        return choices.made()
    except ValidationError as error:
        lines = " ".join(line for _, line in lines_of(error))
        raise ConfigurationError(
            f"The automatic settings do not fit those in the configuration: {lines}",
            hint="Leave out the keys named above, so that they are chosen from the data, too.",
        ) from None


class _Choices:
    """The open keys of one configuration, filled one after the other: history, width, training."""

    def __init__(self, config: TrainingConfig, facts: Facts, device: str, longest_context: int | None) -> None:
        self.config, self.facts, self.device = config, facts, device
        self.longest_context = longest_context or 8192
        self.values = {key: dict(getattr(config, key)) for key in ("model", "training")}
        self.reasons = dict(config.automatic)
        self.horizon = config.forecast.prediction_length

    def made(self) -> TrainingConfig:
        self._patch()
        self._width()
        self._validation()
        self._context()
        self._learning()
        wanted = self.config.model_dump(mode="json")
        for section, values in self.values.items():
            wanted[section] |= values
        wanted["automatic"] = self.reasons
        return TrainingConfig.model_validate(wanted)

    def _is_open(self, key: str) -> bool:
        return self.reasons.get(key) == ""

    def _set(self, key: str, value: Any, reason: str) -> None:
        if self._is_open(key):
            section, name = key.split(".")
            self.values[section][name], self.reasons[key] = value, reason

    def _get(self, key: str) -> Any:
        section, name = key.split(".")
        return self.values[section][name]

    @property
    def _cycle(self) -> int:
        """The shortest season, which patches follow; 1 without one."""
        return self.facts.cycles[0] if self.facts.cycles else 1

    def _patch(self) -> None:
        context = None if self._is_open("model.context_length") else self._get("model.context_length")
        patch = patch_of(self._cycle, self.horizon)
        said = f"the season is {self._cycle} observations, and patches that fit it train best"
        if self._cycle == 1:
            said = f"no season: short patches for a horizon of {self.horizon}"
        if context is not None and context % patch:
            patch = max(size for size in range(1, patch + 1) if context % size == 0)
            said = f"it divides context_length {context}"
        self._set("model.patch_size", patch, said)

    def _width(self) -> None:
        large = self.device == "cuda" and self.facts.items * self.facts.usual > 1_000_000
        sizes = (256, 32, 512, 4, 8) if large else (64, 16, 128, 2, 4)
        said = "more than a million observations and a GPU" if large else "small: it has to train on a CPU"
        if self.device == "cuda" and not large:
            said = "small: fewer than a million observations do not support more"
        for key, value in zip(_WIDTH, sizes, strict=True):
            self._set(key, value, said)

    def _validation(self) -> None:
        """Windows before the held-out part: at most a fifth of the observations there."""
        room = self.facts.shortest - self.config.held_out_length
        most = room // 5 // self.horizon
        if most > 0:
            windows = min(most, max(self.config.evaluation.windows, 1), 4)
            said = f"they decide the number of steps; {windows} × {self.horizon} observations are at most a fifth of the {room:,} before the held-out part"
            self._set("training.validation_windows", windows, said)
        else:
            said = f"the {room:,} observations before the held-out part are too few to set a horizon of {self.horizon} aside"
            self._set("training.validation_windows", 0, said)

    def _context(self) -> None:
        patch, cycle = self._get("model.patch_size"), self._cycle
        long = self.facts.cycles[-1] if len(self.facts.cycles) > 1 else 0
        unseen = self.config.held_out_length + self._get("training.validation_windows") * self.horizon
        room = max(self.facts.usual - unseen - self.horizon, patch)
        wanted, said = max(10 * cycle, 4 * self.horizon) if cycle <= 12 else 2 * cycle, "ten seasons"
        if cycle == 1:
            wanted, said = max(32, 4 * self.horizon), "no season: four horizons, and at least 32 observations"
        elif cycle > 12:
            said = "two seasons"
        if long and room >= 3 * long:
            wanted, said = long + cycle, f"the longer cycle of {long} observations plus one season"
        if (limit := MOST_TOKENS * patch) < wanted:
            wanted, said = limit, f"{MOST_TOKENS} patches, so that steps stay fast"
        if (limit := room * 4 // 5) < wanted:
            wanted, said = limit, f"four fifths of the {room:,} observations that a series has for training"
        if self.longest_context < wanted:
            wanted, said = self.longest_context, "the longest context of the pretrained weights"
        context = max(min(-(-wanted // patch), min(room, self.longest_context) // patch), 1) * patch
        self._set("model.context_length", context, said)
        context = self._get("model.context_length")
        least = self.facts.shortest - unseen - self.horizon
        if least >= 2 * context:
            self._set("model.min_context", None, "the series are long: every window has a full context")
            return
        # Half a context is enough for a window: this gives more origins, and new series can be forecast, too.
        shortest = max(min(context // 2, least // 2), 1)
        self._set("model.min_context", shortest, "shorter contexts allow more origins and shorter series")

    def _learning(self) -> None:
        config = self.config
        pretrained = config.model.initialization == "pretrained"
        steps, said = (
            STEPS,
            "tiny models needed no more on the panels used for tuning; early stopping finds how many",
        )
        windows = self._get("training.validation_windows")
        learnt = self.facts.usual - config.held_out_length
        shortest = self._get("model.min_context") or self._get("model.context_length")
        there = self.facts.items * max(learnt - self.horizon - shortest + 1, 1)
        if (most := max(PASSES * there // config.training.batch_size, FEWEST_STEPS)) < steps:
            steps, said = most, f"about {PASSES} passes over {there:,} windows; more would memorize them"
        budget, seeds = config.training.time_budget_minutes, config.evaluation.seeds
        each = step_seconds(config, self.values["model"], self.device) * (2 if windows else 1) * seeds
        if (most := max(int(budget * 60 / each), 20)) < steps:
            steps, said = most, f"the estimate of what fits into {budget:g} minutes on this device"
            said += f", for each of {seeds} seeds" if seeds > 1 else ""
        steps = steps // 10 * 10 if steps >= 100 else steps
        self._set("training.steps", steps, said)
        steps = self._get("training.steps")
        self._set("training.warmup_steps", steps // 20, "a twentieth of the steps")
        self._set(
            "training.checkpoint_every_steps",
            max(math.ceil(steps / VALIDATIONS), 1),
            f"{VALIDATIONS} checkpoints in all",
        )
        self._set(
            "training.early_stopping_patience",
            PATIENCE if windows else None,
            f"{PATIENCE} validations without a better loss: a single one is mostly noise"
            if windows
            else "no validation windows",
        )
        alone = config.run.ranks == 1
        why = "no validation windows"
        if windows:
            why = "the validation windows are trained on, too, once the number of steps is known"
        self._set("training.refit", bool(windows) and alone, why if alone else "it supports one process only")
        columns = config.dataset
        mixes = len(columns.targets) == 1 and not columns.past_covariates and not columns.known_covariates
        self._set(
            "training.mixup_share",
            MIXED if mixes else 0.0,
            "sums of real windows are new windows, which cannot be memorized"
            if mixes
            else "windows with several columns are not mixed",
        )
        tiny = self.device == "cpu" and self._get("model.d_model") <= 128
        self._set(
            "training.cpu_threads",
            1 if tiny else None,
            "a model this small is slower on two cores" if tiny else "all cores",
        )
        if pretrained:
            width = self._get("model.d_model")
            rate, said = next((rate, reason) for most, rate, reason in _PRETRAINED_RATES if width <= most)
        else:
            rate, said = 3e-3, "the best rate for small models from random weights"
        self._set("training.learning_rate", rate, said)


def patch_of(cycle: int, horizon: int) -> int:
    """Return the patch size for a season and a horizon: it divides the season or is a multiple of it, and is about 4 to 24 long."""
    if cycle == 1:
        return 2 if horizon <= 8 else 4
    if cycle <= 3:
        return cycle * 2
    if cycle <= 7:
        return cycle * 2 if horizon >= 2 * cycle and cycle > 5 else cycle
    if cycle <= 24:
        return cycle if cycle <= 12 else max((size for size in range(2, 13) if cycle % size == 0), default=cycle)
    fits = [size for size in range(4, 25) if cycle % size == 0]
    return (max(fits) if horizon >= 24 else min(fits)) if fits else 8
