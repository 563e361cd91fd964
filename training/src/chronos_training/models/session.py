"""One training run from a synced dataset to the report: prepare, train, evaluate, report."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

import torch

from chronos_training.config.dataset_check import check_against_dataset
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.load import Panel, load_panel
from chronos_training.models import artifacts, chronos2, cost, forecasting, loop, metadata, report, scoring
from chronos_training.models.checkpoints import fingerprint
from chronos_training.models.progress import Progress, log
from chronos_training.models.spec import RunSpec
from chronos_training.models.stopping import StopRequest
from chronos_training.models.windows import TrainingWindows, training_part


def run(
    spec: RunSpec, data: Path, output: Path, progress: Progress, stop: StopRequest, base_model: Path | None = None
) -> None:
    """Train and evaluate as `spec` says, reading the synced dataset in `data` and pretrained weights in `base_model`.

    Writes models, checkpoints, evaluation, metadata and report below `output`. Raises
    ConfigurationError and DataError for what a person can mend, Stopped after SIGTERM.
    """
    begun, clock = _now(), time.monotonic
    seconds: dict[str, float] = {}
    mark = clock()

    def phase_done(name: str) -> None:
        nonlocal mark
        seconds[name], mark = clock() - mark, clock()
        stop.check()

    config = spec.config
    progress.phase("preparing", f"reading dataset {config.dataset.name} from {data}")
    _use_device(spec)
    panel = load_panel(data, config.dataset.target)
    check_against_dataset(config, panel.manifest)
    _check_digest(spec, panel)
    log.info("%d series, %s rows, %s, %s to %s", len(panel.item_ids), f"{panel.manifest['rows']:,}", panel.freq,
             str(panel.manifest.get("start", "?"))[:10], str(panel.manifest.get("end", "?"))[:10])  # fmt: skip
    model = chronos2.build_model(config, base_model)
    windows = TrainingWindows(
        training_part(panel.values, config.held_out_length),
        context_length=config.model.context_length,
        prediction_length=config.forecast.prediction_length,
        seed=config.training.seed,
        length=config.training.steps * config.training.batch_size,
    )
    phase_done("preparing")

    parameters = chronos2.parameter_count(model)
    progress.phase(
        "training", f"training {config.name}: {parameters:,} parameters, {config.training.steps} steps on {spec.device}"
    )
    started = _now()
    curve = loop.train(
        model,
        windows,
        config,
        device=spec.device,
        folder=output / "checkpoints",
        mark=fingerprint(config, str(panel.manifest["digest"]), str(spec.base_model.get("digest", ""))),
        progress=progress,
        stop=stop,
    )
    ended = _now()
    artifacts.write_loss(output / "loss.csv", curve)
    chronos2.save_model(model, output / "models" / config.name)
    phase_done("training")

    progress.phase(
        "evaluating", f"forecasting {config.evaluation.windows} held-out windows of {len(panel.item_ids)} series"
    )
    forecasts = forecasting.forecast(model, panel, config, stop.check)
    scores = scoring.score(forecasts, panel, config)
    artifacts.write_evaluation(output / "evaluation", scores, forecasts, panel)
    log.info("%s", scores["verdict"]["sentence"])
    phase_done("evaluating")

    progress.phase("reporting", "writing model_metadata.json and report.html")
    about = metadata.build_metadata(
        spec,
        panel,
        scores,
        parameters=parameters,
        times={"created_at": _now(), "training_started_at": started, "training_ended_at": ended},
        seconds=seconds,
        loop={"samples_per_second": round(curve.samples_per_second, 1), "resumed_from_step": curve.resumed_from},
        cost=cost.estimate(spec.instance, cost.started_at(begun), _now()),
    )
    artifacts.write_json(output / "model_metadata.json", about)
    report.write_report(output / "report.html", about, scores, forecasts, panel, curve)
    phase_done("reporting")
    log.info("done in %.1f s: %s", sum(seconds.values()), ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _use_device(spec: RunSpec) -> None:
    """Make the declared device ready. A run that was planned for a GPU never falls back to the CPU in silence."""
    if spec.device == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError("The run declares the device 'cuda', but torch finds no GPU here.")
        return
    torch.set_num_threads(spec.config.training.cpu_threads or os.cpu_count() or 1)


def _check_digest(spec: RunSpec, panel: Panel) -> None:
    wanted = spec.dataset.get("digest")
    if wanted and wanted != panel.manifest["digest"]:
        raise ConfigurationError(
            f"The run was launched with dataset digest {str(wanted)[:12]}…, but the folder holds {panel.manifest['digest'][:12]}…: "
            "the dataset was published anew in between.",
            hint="Launch again.",
        )
