"""One training run from a synced dataset to the report: prepare, train, evaluate, report."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.config.dataset_check import check_against_dataset
from chronos_training.config.device_check import check_device
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.load import load_panel
from chronos_training.data.panel import Panel
from chronos_training.data.usable import SeriesFinding, usable
from chronos_training.evaluation import combine, recalibration
from chronos_training.evaluation.forecasts import MODEL, ZERO_SHOT
from chronos_training.evaluation.held_out import Forecaster, evaluate
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.evaluation.seen import base_must_not_have_seen
from chronos_training.evaluation.validation_windows import Validated, validated
from chronos_training.families import family as family_of
from chronos_training.families import weights
from chronos_training.families.base import Family
from chronos_training.families.task import Task, read_task
from chronos_training.training import (
    artifacts,
    card,
    checkpoints,
    cost,
    metadata,
    ranks,
    refit,
    report,
    several,
)
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.progress import Progress, log
from chronos_training.training.seeds import other_seeds
from chronos_training.training.spec import TrainingSpec
from chronos_training.training.stopping import StopRequest

# Columns mapped from files; the ending says that they are no result. Each process has its own.
COLUMNS = "columns-{rank}.tmp"


def run(
    spec: TrainingSpec, data: Path, output: Path, progress: Progress, stop: StopRequest, base_model: Path | None = None
) -> None:
    """Train and evaluate as `spec` says, reading the synced dataset in `data` and pretrained weights in `base_model`.

    Writes models, checkpoints, evaluation, metadata and report below `output`. Raises
    ConfigurationError and DataError for what a person can mend, Stopped after SIGTERM. Of several processes the first
    continues alone when the training is done.
    """
    with columns_folder(output) as work:
        _run(spec, data, output, work, progress, stop, base_model)


def check(spec: TrainingSpec, data: Path, work: Path, output: Path, base_model: Path | None) -> None:
    """Raise what `run` would be refused with, without writing anything to `output`; columns are mapped in `work`."""
    use_device(spec)
    panel, _ = read_panel(spec, data, work, say=log.debug)  # `run` tells it
    base_must_not_have_seen(Task.of(spec.config, panel, base_model), panel, spec.config)
    if spec.config.model.family == "autogluon":
        return
    checkpoints.complete(output / "checkpoints", _fingerprint(spec, panel), most=1)
    if base_model is not None:
        weights.make_model(family_of(spec.config.model.family), spec.config, base_model)


def _fingerprint(spec: TrainingSpec, panel: Panel) -> str:
    return Fingerprint(spec.config, str(panel.manifest["digest"]), spec.run.base_digest).digest


@contextlib.contextmanager
def columns_folder(output: Path) -> Iterator[Path]:
    """Give a folder in `output` for mapped columns, each process one of its own; it goes at the end."""
    work = output / COLUMNS.format(rank=several.rank())
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(
    spec: TrainingSpec,
    data: Path,
    output: Path,
    work: Path,
    progress: Progress,
    stop: StopRequest,
    base_model: Path | None,
) -> None:
    begun, clock = _now(), time.monotonic
    seconds: dict[str, float] = {}
    since = clock()

    def phase_done(name: str) -> None:
        nonlocal since
        seconds[name], since = clock() - since, clock()
        stop.check()

    config = spec.config
    progress.phase("preparing", f"reading dataset {config.dataset.name} from {data}")
    use_device(spec)
    panel, findings = read_panel(spec, data, work)
    base_must_not_have_seen(Task.of(config, panel, base_model), panel, config)
    learn = _autogluon if config.model.family == "autogluon" else _chronos
    learnt = learn(spec, panel, RunFolders(output, work, base_model), progress, stop, phase_done)
    if learnt is None:
        return

    progress.phase("evaluating", f"forecasting {config.evaluation.windows} held-out windows of {panel.rows} series")
    forecasts = output / "evaluation/forecasts.parquet"
    found = learnt.validated
    scores = evaluate(
        learnt.contestants, panel, config, forecasts, stop.check, progress.evaluated,
        found.fitted if found else None, found.combination if found else None,
    )  # fmt: skip
    artifacts.write_evaluation(output / "evaluation", scores)
    for one in (scores["evidence"], *scores["verdicts"].values(), scores["interval_coverage"]):
        log.info("%s", one["sentence"])
    log.info("%s", scores["publish"]["sentence"])
    phase_done("evaluating")

    progress.phase("reporting", "writing model_metadata.json and report.html")
    about = metadata.build_metadata(
        spec,
        panel,
        scores,
        model=learnt.model,
        findings=findings,
        times={"created_at": _now(), "training_started_at": learnt.started, "training_ended_at": learnt.ended},
        seconds=seconds,
        cost=cost.estimate(spec.run.instance, cost.started_at(begun), _now(), cost.instance_type()),
    )
    artifacts.write_json(output / "model_metadata.json", about)
    card.write_card(output / "models" / config.name / "README.md", about)
    report.write_report(output / "report.html", about, scores, forecasts, panel, learnt.curve)
    phase_done("reporting")
    log.info("done in %.1f s: %s", sum(seconds.values()), ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()))


@dataclass(frozen=True)
class RunFolders:
    """Folders: what is written, what goes at the end, and the weights to start from."""

    output: Path
    work: Path
    base: Path | None


@dataclass(frozen=True)
class Learnt:
    """What a training gives: the forecasters to compare, and the metadata's section `model`; a curve where there are steps."""

    contestants: dict[str, Forecaster]
    model: dict[str, Any]
    curve: LossCurve | None
    started: datetime
    ended: datetime
    validated: Validated | None = None  # recalibration and combination


def _chronos(
    spec: TrainingSpec,
    panel: Panel,
    folders: RunFolders,
    progress: Progress,
    stop: StopRequest,
    phase_done: Callable[[str], None],
) -> Learnt | None:
    """Train a Chronos model in our own loop. None in every process but the first."""
    config, family = spec.config, family_of(spec.config.model.family)
    model = weights.make_model(family, config, folders.base)
    parameters, learning = weights.parameter_counts(model)
    made = [model]  # a refit begins with another
    del model
    phase_done("preparing")

    which = f"{learning:,} of {parameters:,}" if learning < parameters else f"{parameters:,}"
    progress.phase(
        "training", f"training {config.name}: {which} parameters, {config.training.steps} steps on {spec.device}"
    )
    started = _now()
    parent = read_task(folders.base) if folders.base is not None else None

    def validate(own: Any) -> Validated:
        return validated(
            lambda some, how, chunk: forecast_model(family, own, some, chunk, how, stop.check),
            panel,
            config,
            stop.check,
            parent,
        )

    model, curve, told = refit.train(
        lambda: made.pop() if made else weights.make_model(family, config, folders.base),
        family,
        panel,
        config,
        device=spec.device,
        folder=folders.output / "checkpoints",
        fingerprint=_fingerprint(spec, panel),
        progress=progress,
        stop=stop,
        # A refitted model has learnt the validation windows: on them only the search's is as good as on new ones.
        # The first process alone is asked: what it says is in the checkpoints.
        tell=lambda searched: asdict(validate(weights.merged(searched, config))) if ranks.is_first() else None,
    )
    ended = _now()
    if ranks.is_first():
        # Told before the others may go: who misses them from here on misses nothing.
        progress.phase("storing", "storing the model")
    ranks.part()
    if not ranks.is_first():
        return None
    artifacts.write_loss(folders.output / "loss.csv", curve)
    model = weights.merged(model, config)
    folder = folders.output / "models" / config.name
    family.save(model, folder)
    Task.of(config, panel, folders.base).write(
        folder
    )  # at once: a run that is stopped from here on leaves a whole model
    found = validate(model) if told is None else Validated.of(told)
    _store(found, folder)
    phase_done("training")
    contestants = {MODEL: _forecaster(family, model, panel, config, stop)}
    if folders.base is not None and ZERO_SHOT in config.evaluation.baselines:
        start = family.load(folders.base, config).to(spec.device)
        contestants[ZERO_SHOT] = _forecaster(family, start, panel, config, stop)
    contestants |= other_seeds(spec, panel, folders.output, folders.base, progress, stop)
    return Learnt(contestants, metadata.chronos_section(config, parameters, curve), curve, started, ended, found)


def _store(found: Validated, folder: Path) -> None:
    """Write what corrects and combines the model's forecasts into its folder, and say why; of an earlier training nothing stays."""
    for file in (recalibration.FILE, combine.FILE):
        (folder / file).unlink(missing_ok=True)
    log.info("%s", found.fitted.reason)
    if found.fitted.recalibration is not None:
        found.fitted.recalibration.save(folder)
    if found.combination is not None:
        log.info("%s", found.combination.reason)
        if found.combination.weights is not None:
            found.combination.save(folder)


def _autogluon(
    spec: TrainingSpec,
    panel: Panel,
    folders: RunFolders,
    progress: Progress,
    stop: StopRequest,
    phase_done: Callable[[str], None],
) -> Learnt:
    from chronos_training.training.autogluon.training import train  # in its own environment only

    phase_done("preparing")
    started = _now()
    contestants, about = train(spec, panel, folders.output, folders.work / "autogluon", folders.base, progress, stop)
    task = Task.of(spec.config, panel, folders.base)
    task.write(folders.output / "models" / spec.config.name)
    if (chronos := about["chronos"]) is not None:
        folder = folders.output / chronos["path"]
        task.of_weights(chronos["family"], read_pretrained(folder).settings).write(folder)
    phase_done("training")
    return Learnt(contestants, metadata.autogluon_section(about), None, started, _now())


def _forecaster(family: Family, model: Any, panel: Panel, config: TrainingConfig, stop: StopRequest) -> Forecaster:
    return lambda chunk: forecast_model(family, model, panel, chunk, config, stop.check)


def read_panel(
    spec: TrainingSpec, data: Path, work: Path, say: Callable[..., None] = log.info
) -> tuple[Panel, list[SeriesFinding]]:
    """Return the series that the run learns from, and what was found in them. ConfigurationError or DataError when the data are not what it expects."""
    config, columns = spec.config, spec.config.dataset
    panel = load_panel(data, columns.targets, past=columns.past_covariates, known=columns.known_covariates, work=work)
    check_against_dataset(config, panel.manifest)
    _check_digest(spec, panel)
    say("%d series, %s rows, %s, %s to %s", len(panel), f"{panel.manifest['rows']:,}", panel.freq,
             str(panel.manifest.get("start", "?"))[:10], str(panel.manifest.get("end", "?"))[:10])  # fmt: skip
    season = config.season(panel.manifest)
    say("season %d: %s", season.length, season.warning or season.reason)
    panel, findings = usable(panel, config)
    for finding in findings:
        say("%s", finding.sentence)
    return panel, findings


def _now() -> datetime:
    return datetime.now(timezone.utc)


def use_device(spec: TrainingSpec) -> None:
    """Make the declared device ready; ConfigurationError when it cannot do what is configured. A run that was planned for a GPU never falls back to the CPU in silence."""
    check_device(spec.config, spec.device)
    if spec.device == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError("The run requires the device 'cuda', but torch finds no GPU here.")
        return
    torch.set_num_threads(threads(spec.config))


def threads(config: TrainingConfig) -> int:
    """Return the threads of one process on a CPU."""
    return config.training.cpu_threads or max(1, (os.cpu_count() or 1) // config.run.processes)


def _check_digest(spec: TrainingSpec, panel: Panel) -> None:
    wanted = spec.run.dataset.digest if spec.run.dataset else None
    if wanted and wanted != panel.manifest["digest"]:
        raise ConfigurationError(
            f"The run was launched with dataset digest {wanted[:12]}…, but the folder holds {panel.manifest['digest'][:12]}…: "
            "the dataset was published again in between.",
            hint="Launch again.",
        )
