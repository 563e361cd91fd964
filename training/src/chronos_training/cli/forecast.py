"""`forecast`: what comes after the end of every series, as the model was evaluated."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chronos_training.cli import predictor
from chronos_training.cli.chronos import ChronosModel
from chronos_training.cli.combined import Combiner
from chronos_training.cli.inputs import must_take_options
from chronos_training.cli.levels import levels_of, usual
from chronos_training.cli.weights import model_folder
from chronos_training.config.season import season_of
from chronos_training.core.errors import ConfigurationError, DataError, TrainingError
from chronos_training.data.ahead import Columns, read_known, with_room
from chronos_training.data.checks import CheckedPanel
from chronos_training.data.contexts import Cut
from chronos_training.data.panel import Panel
from chronos_training.data.report import SHOWN
from chronos_training.data.summary import examine
from chronos_training.evaluation.forecasts import finished
from chronos_training.evaluation.metrics import seasonal_scale
from chronos_training.evaluation.recalibration import Recalibration
from chronos_training.evaluation.statistical import Pool
from chronos_training.families.task import FILE, Task, read_task
from chronos_training.training import train as process

AT_ONCE = 256  # series in one call of the model
Model = ChronosModel | predictor.Predictor


def forecast(options: argparse.Namespace) -> int:
    """Forecast beyond the end of every series, and write a table: one row for each series, target and time."""
    levels = levels_of(options.levels)
    rules, form = must_take_options(options)
    if options.output.suffix not in {".csv", ".parquet"}:
        raise ConfigurationError(f"{options.output}: must end in .csv or .parquet.")
    process.prepare_process()
    model = _opened(options)
    task = model.task
    shown = _targets(options, task)
    horizon = task.prediction_length if options.prediction_length is None else options.prediction_length
    if horizon < 1:
        raise ConfigurationError(f"--prediction-length {horizon} is not allowed: must be 1 or more.")
    levels = levels or usual(task.levels)
    model.check(horizon, levels)
    if options.known is not None and not task.known_covariates:
        raise ConfigurationError(f"--known {options.known}: the model in {options.model} has no known covariates.")
    checked, about = examine(options.data, task.targets, rules, form)
    notes = [*about["notes"], *_remarks(model, checked, horizon)]
    columns = _columns(task, checked, options)
    known = read_known(options.known, columns.known, task.targets, form) if options.known is not None else None
    room = max(horizon, task.prediction_length)
    panel, ends = with_room(checked, columns, room, horizon, known)
    notes += _old(task, panel, ends)
    recalibration, told = _recalibration(model_folder(options.model), levels)
    notes += told
    combiner = None
    if options.combination:
        combiner = Combiner.of(model_folder(options.model), horizon, levels, _season(task, panel))
        notes.append(combiner.combination.reason)
    model.load(options.device, horizon, recalibration.levels if recalibration else levels)
    columns_of = _Table(panel, horizon, levels, shown)
    parts = []
    with Pool() as pool:
        for begin in range(0, len(panel), AT_ONCE):
            at = [(item, int(ends[item])) for item in range(begin, min(begin + AT_ONCE, len(panel)))]
            found = model.forecast(panel, at)
            if recalibration is not None:
                found = recalibration.apply(found, _scales(task, panel, at))
                found = finished(found, task.minimum)[:, :, [recalibration.levels.index(level) for level in levels]]
            if combiner is not None:
                found = finished(combiner.apply(pool, panel, at, found), task.minimum)
            parts += [columns_of.of(item, end, table) for (item, end), table in zip(at, found, strict=True)]
    _write(pd.concat(parts, ignore_index=True), options.output)
    what = f"{len(panel):,} series" + (f" of {len(shown)} targets" if len(shown) > 1 else "")
    listed = ", ".join(f"{level:g}" for level in levels)
    print(f"{options.output}: {what}, {horizon} observations each, quantiles {listed}")
    for note in notes:
        print(f"  {note}")
    return 0


def _opened(options: argparse.Namespace) -> Model:
    folder = model_folder(options.model)
    task = read_task(folder)
    if predictor.is_one(folder):
        return predictor.Predictor(folder, task)
    return ChronosModel(folder, task, options.target or ["target"])


def _targets(options: argparse.Namespace, task: Task) -> list[str]:
    """Return the targets to write: those of the command line, else all."""
    for name in options.target or []:
        if name not in task.targets:
            raise ConfigurationError(
                f"--target {name} is not allowed: the model in {options.model} forecasts {', '.join(task.targets)}.",
                hint=f"If that column only has another name, give --columns {task.targets[0]}={name}.",
            )
    return [name for name in task.targets if name in (options.target or task.targets)]


def _columns(task: Task, checked: CheckedPanel, options: argparse.Namespace) -> Columns:
    """Return what the model takes of the data. DataError names the covariates that they lack."""
    for what, names in (("past", task.past_covariates), ("known", task.known_covariates)):
        if missing := [name for name in names if name not in checked.frame]:
            there = [name for name in checked.frame.columns if name not in ("item_id", "timestamp")]
            raise DataError(
                f"{options.data}: the model in {options.model} needs {', '.join(missing)} ({what} covariates), but the "
                f"data have: {', '.join(there)}."
            )
    return Columns(task.targets, task.past_covariates, task.known_covariates)


def _remarks(model: Model, checked: CheckedPanel, horizon: int) -> Iterator[str]:
    task = model.task
    if model.is_assumed:
        yield (
            f"The model has no {FILE}, which lists its targets, covariates and horizon; assuming the target "
            f"{', '.join(task.targets)}, no covariates and a horizon of {task.prediction_length} observations."
        )
    if task.freq and task.freq != checked.freq:
        sentence = f"The model was trained on data of frequency {task.freq}, but these have {checked.freq}"
        if task.family == "autogluon":
            raise DataError(f"{sentence}.")
        yield f"{sentence}: the quality of its forecasts for them is unknown."
    if horizon > task.prediction_length:
        yield (
            f"The model was trained for {task.prediction_length} observations: beyond them its own forecasts serve "
            "as history (rolled out), which was not evaluated."
        )


def _old(task: Task, panel: Panel, ends: np.ndarray) -> Iterator[str]:
    """Name the series whose context is empty."""
    if task.family == "autogluon":
        return
    cut = Cut(task.context_length, task.prediction_length)
    old = [panel.item_ids[item] for item, end in enumerate(ends) if cut.is_old(panel, item, int(end))]
    if old:
        names = ", ".join(old[:SHOWN]) + (", …" if len(old) > SHOWN else "")
        yield (
            f"{len(old):,} series ({names}) have no value in the last {task.context_length:,} observations: they are "
            "forecast from their last values, shifted by whole seasons."
        )


def _recalibration(folder: Path, levels: Sequence[float]) -> tuple[Recalibration | None, list[str]]:
    """Return what corrects the quantiles `levels` of the model, and what is to be said of it."""
    found = Recalibration.load(folder)
    if found is None or set(levels) <= set(found.levels):
        return found, []
    known = ", ".join(f"{level:g}" for level in found.levels)
    return None, [f"Not recalibrated: the model's recalibration covers only the quantiles {known}."]


def _scales(task: Task, panel: Panel, at: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return MASE's scale of each target before each (item, origin), (places, targets)."""
    season = _season(task, panel)
    return np.array(
        [[seasonal_scale(panel.values(item, name)[:end], season) for name in panel.targets] for item, end in at]
    )


def _season(task: Task, panel: Panel) -> int:
    return task.season_length or season_of("auto", panel.manifest).length


@dataclass(frozen=True)
class _Table:
    """The rows of the output."""

    panel: Panel
    horizon: int
    levels: Sequence[float]
    shown: Sequence[str]

    def of(self, item: int, end: int, forecast: np.ndarray) -> pd.DataFrame:
        """Return the rows of a series from its forecast (targets, levels, horizon). TrainingError when it is no number."""
        if not np.isfinite(forecast).all():
            raise TrainingError(
                f"The forecast of series {self.panel.item_ids[item]!r} is not a number.",
                hint="The model in the folder is unusable: see its report.",
            )
        stamps, parts = self.panel.timestamps(item, end, end + self.horizon), []
        for target in self.shown:
            names = {"target_name": target} if len(self.panel.targets) > 1 else {}
            own = forecast[self.panel.targets.index(target)]
            quantiles = {f"q{level:g}": own[i] for i, level in enumerate(self.levels)}
            parts.append(
                pd.DataFrame({"item_id": self.panel.item_ids[item], "timestamp": stamps, **names, **quantiles})
            )
        return pd.concat(parts)


def _write(table: pd.DataFrame, output: Path) -> None:
    """Write the table whole or not at all."""
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".partial")
    if output.suffix == ".csv":
        table.to_csv(partial, index=False)
    else:
        table.to_parquet(partial, index=False)
    partial.replace(output)
