"""Ours and upstream's ways to train and to forecast, each with the same model, data, batch and precision."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from chronos_training.data.windows import TrainingWindows
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.families import family
from chronos_training.training import loop
from chronos_training.training.stopping import StopRequest

from .cases import Case, Scale
from .clock import CallbackWith, Enough, ProgressWith, Steps


@contextlib.contextmanager
def timed(model: Any) -> Iterator[None]:
    """End with the last step that is timed, and take away what mixed precision has put around the model."""
    try:
        with contextlib.suppress(Enough):
            yield
    finally:
        for name in ("forward", "_original_forward"):
            vars(model).pop(name, None)


@contextlib.contextmanager
def products(precision: str) -> Iterator[None]:
    """Compute products of fp32 numbers in tf32 or not."""
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def train_ours(model: Any, panel: Any, config: Any, case: Case, steps: Steps, device: str) -> None:
    """Train with our loop."""
    own = family(config.model.family)
    with tempfile.TemporaryDirectory() as folder, products(case.precision), timed(model):
        loop.train(
            model, own, TrainingWindows(panel, config), config, device=device, folder=Path(folder), fingerprint="m",
            progress=ProgressWith(steps.at), stop=StopRequest(),
        )  # fmt: skip


def train_upstream(model: Any, panel: Any, config: Any, case: Case, steps: Steps, device: str) -> None:
    """Train with Chronos2Pipeline.fit, or with the Trainer as upstream's script for T5 sets it up: Bolt and T5 have no fit."""
    with tempfile.TemporaryDirectory() as folder, products(case.precision), timed(model):
        if config.model.family == "chronos2":
            _fit(model, panel, config, case, steps, Path(folder), device)
        else:
            _trainer(model, panel, config, case, steps, Path(folder), device)


def _numbers(case: Case) -> dict[str, Any]:
    return {
        "bf16": case.precision == "bf16",
        "fp16": case.precision == "fp16",
        "tf32": True if case.precision == "tf32" else None,
    }


def _fit(model: Any, panel: Any, config: Any, case: Case, steps: Steps, folder: Path, device: str) -> None:
    from chronos import Chronos2Pipeline

    learnt = [panel.values(i, "target")[: -config.held_out_length].astype("float32") for i in range(len(panel))]
    # As upstream's own defaults, which take tf32 beside bf16.
    numbers = _numbers(case) | {"tf32": device == "cuda" and case.precision in ("tf32", "bf16")}
    Chronos2Pipeline(model).fit(
        learnt, prediction_length=config.forecast.prediction_length, context_length=config.model.context_length,
        min_past=config.model.context_length, num_steps=config.training.steps, batch_size=config.training.batch_size,
        learning_rate=config.training.learning_rate, output_dir=folder, disable_tqdm=True, remove_printer_callback=True,
        callbacks=[CallbackWith(steps.at)], **numbers,
    )  # fmt: skip


def _trainer(model: Any, panel: Any, config: Any, case: Case, steps: Steps, folder: Path, device: str) -> None:
    own, how = family(config.model.family), config.training
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=how.steps, per_device_train_batch_size=how.batch_size,
        learning_rate=how.learning_rate, lr_scheduler_type="linear", optim="adamw_torch_fused", logging_steps=500,
        save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
        dataloader_num_workers=0 if device == "cpu" else 1, use_cpu=device == "cpu", **_numbers(case),
    )  # fmt: skip
    trainer = Trainer(
        model=model, args=arguments, train_dataset=TrainingWindows(panel, config),
        data_collator=_Collate(own, config), callbacks=[CallbackWith(steps.at)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train()


class _Collate:
    """A batch as upstream's own code makes it: a mask of zeros and ones."""

    def __init__(self, own: Any, config: Any) -> None:
        self._own, self._config = own, config

    def __call__(self, windows: Any) -> dict[str, Any]:
        batch: dict[str, Any] = self._own.collate(self._config, windows)
        if "input_ids" in batch:
            mask = batch.get("attention_mask")
            batch["attention_mask"] = (
                torch.ones_like(batch["input_ids"]) if mask is None else (mask[:, 0, 0] == 0).long()
            )
        return batch


def forecast_ours(model: Any, panel: Any, config: Any) -> Any:
    """Forecast the last window of every series with our code; quantiles (series, levels, horizon)."""
    from chronos_training.evaluation.forecasts import Chunk

    items = range(len(panel))
    chunk = Chunk(items, items, np.empty(0), np.empty(0), [])
    return forecast_model(family(config.model.family), model, panel, chunk, config, lambda: None)[:, 0]


def forecast_upstream(model: Any, panel: Any, config: Any) -> Any:
    """Do the same with upstream's pipelines alone, in the same batches."""
    from chronos import Chronos2Pipeline, ChronosBoltPipeline, ChronosPipeline
    from chronos.chronos import ChronosConfig, ChronosModel

    context, horizon, size = (
        config.model.context_length,
        config.forecast.prediction_length,
        config.evaluation.batch_size,
    )
    histories = [
        torch.from_numpy(panel.values(i, "target")[-horizon - context : -horizon].astype(np.float32))
        for i in range(len(panel))
    ]
    levels = list(config.forecast.quantile_levels)
    model.eval()
    if config.model.family == "chronos2":
        found, _ = Chronos2Pipeline(model).predict_quantiles(
            histories, prediction_length=horizon, quantile_levels=levels, batch_size=size
        )
        return torch.stack([one[0].T for one in found]).numpy()
    if config.model.family == "chronos_bolt":
        pipeline: Any = ChronosBoltPipeline(model)
    else:
        own = ChronosConfig(**model.config.chronos_config)
        pipeline = ChronosPipeline(own.create_tokenizer(), ChronosModel(own, model))
    parts = []
    for begin in range(0, len(histories), size):
        found, _ = pipeline.predict_quantiles(
            histories[begin : begin + size], prediction_length=horizon, quantile_levels=levels
        )
        parts.append(found)
    return torch.cat(parts).swapaxes(1, 2).numpy()


def batch_on(config: Any, scale: Scale, panel: Any, device: str) -> dict[str, Any]:
    """Return one batch that lies on the device."""
    own, windows = family(config.model.family), TrainingWindows(panel, config)
    batch = own.collate(config, [windows[i] for i in range(config.training.batch_size)])
    return {key: one.to(device) if torch.is_tensor(one) else one for key, one in batch.items()}
