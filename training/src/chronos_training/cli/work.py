"""`train` and `evaluate`: what needs torch."""

from __future__ import annotations

import argparse

from chronos_training.cli.inputs import (
    accept,
    config_of,
    dataset_of,
    machine_memory_gb,
    must_be_a_folder,
    must_take_options,
    staged,
)
from chronos_training.cli.weights import OF_A_FOLDER, Weights, model_folder, with_weights
from chronos_training.config import automatic_line, resolve, starting_from, with_context, with_initialization
from chronos_training.config.size import check_memory
from chronos_training.core.run_spec import NAME, BaseModelSpec
from chronos_training.data.manifest import read_manifest
from chronos_training.training import train as process


def train(options: argparse.Namespace) -> int:
    """Train, evaluate and report as an instance does; resume from the checkpoints in the output folder, if any."""
    must_be_a_folder(options.output, "a training")
    must_take_options(options)  # before torch is loaded
    weights: Weights | None = None
    config = with_weights(config_of(options.config), options.base_model)
    if config.model.initialization == "pretrained":
        weights = Weights.of(options.base_model or str(config.model.base))
        config = weights.adopted(config)
    if options.device == "cpu":
        check_memory(config, machine_memory_gb(), "this machine", shared=True)
    process.prepare_process()
    from chronos_training.training.session import check
    from chronos_training.training.spec import TrainingSpec

    with staged(options.output) as stage:
        data = dataset_of(options, config, stage)
        manifest = read_manifest(data)
        config = with_initialization(config, manifest)
        if weights is None and config.model.base is not None:
            weights = Weights.of(config.model.base)
            config = weights.adopted(config)
        config = resolve(config, manifest, options.device, weights.longest_context if weights else None)
        for one in config.automatic.items():
            print(f"  {automatic_line(config, *one)}")
        about, folder = (weights.about, weights.folder) if weights else (None, None)
        base = BaseModelSpec(**about) if about else None
        trained = TrainingSpec.of(config, options.device, base_model=base)
        check(trained, data, stage, options.output, folder)
        data = accept(stage, options.output) or data
    spec = options.output / NAME
    spec.write_bytes(trained.run.body())
    words = ["--spec", str(spec), "--data", str(data), "--output", str(options.output)]
    if folder is not None:
        words += ["--base-model", str(folder)]
    code = process.main(words)
    if code == 0:
        print(f"report  {options.output / 'report.html'}\nmodel   {options.output / 'models' / config.name}")
    return code


def evaluate(options: argparse.Namespace) -> int:
    """Compare a finished model with the baselines, and write the scores."""
    process.prepare_process()
    from chronos_training.evaluation.forecasts import MODEL
    from chronos_training.evaluation.held_out import evaluate as compare
    from chronos_training.evaluation.names import TITLES, names_of
    from chronos_training.evaluation.recalibration import stored
    from chronos_training.evaluation.seen import must_be_of, must_be_unseen
    from chronos_training.families.task import FILE, read_task
    from chronos_training.training import artifacts
    from chronos_training.training.session import read_panel, use_device
    from chronos_training.training.spec import TrainingSpec

    must_be_a_folder(options.output, "an evaluation")
    must_take_options(options)
    config, folder = config_of(options.config), model_folder(options.model)
    longest = None
    if config.model.family == "autogluon":
        from chronos_training.cli.predictor import forecaster_of
    else:
        from chronos_training.cli.chronos import forecaster_of

        weights = Weights.of(options.model)
        config = weights.adopted(starting_from(config, OF_A_FOLDER))
        longest = weights.longest_context
    task = read_task(folder)
    if task is not None:
        must_be_of(task, config, options.model)
        longest = task.context_length or longest
    if longest and "model.context_length" in config.automatic:
        config = with_context(config, longest)  # the model's own, which does not depend on these data
    with staged(options.output) as stage:
        data = dataset_of(options, config, stage)
        spec = TrainingSpec.of(resolve(config, read_manifest(data), options.device, longest), options.device)
        config = spec.config
        use_device(spec)
        panel, _ = read_panel(spec, data, stage)
        seen = must_be_unseen(task, panel, config, allowed=options.windows_of_training) if task is not None else None
        forecasters = {MODEL: forecaster_of(folder, panel, spec)}
        fitted = stored(folder, list(config.forecast.quantile_levels))
        # What fails in between leaves the output as it was.
        scores = compare(forecasters, panel, config, stage / "forecasts.parquet", lambda: None, fitted=fitted)
        accept(stage, options.output)
        (stage / "forecasts.parquet").replace(options.output / "forecasts.parquet")
    artifacts.write_evaluation(options.output, scores | {"windows_of_training": seen})
    if task is None:
        print(f"The model has no {FILE}: whether its training saw these windows is unknown.")
    elif seen is not None:
        print(seen["sentence"])
    for name in names_of(scores):
        values = scores["aggregate"][name]
        numbers = "  ".join(
            f"{key.upper()} {values[key]:.4f}" for key in ("wql", "mase", "mae") if values[key] is not None
        )
        print(f"{TITLES[name]:<52} {numbers}")
    for one in (scores["evidence"], *scores["verdicts"].values(), scores["interval_coverage"], scores["publish"]):
        print(one["sentence"])
    return 0
