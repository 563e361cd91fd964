"""The training loop: the Trainer of transformers over our windows, with sealed checkpoints, progress and a polite stop."""

from __future__ import annotations

import functools
import math
import shutil
import time
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging as transformers_logging

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.models import checkpoints
from chronos_training.models.chronos2 import collate
from chronos_training.models.losscurve import LossCurve
from chronos_training.models.progress import Progress, log
from chronos_training.models.stopping import Stopped, StopRequest
from chronos_training.models.windows import TrainingWindows


def train(
    model: Any,
    windows: TrainingWindows,
    config: TrainingConfig,
    *,
    device: str,
    folder: Path,
    mark: str,
    progress: Progress,
    stop: StopRequest,
) -> LossCurve:
    """Train `model` in place and return its loss curve.

    `folder` is the checkpoints folder; its newest complete checkpoint with the fingerprint `mark` is gone on from, bit for
    bit as if there had been no interruption (same machine type and thread count). Raises Stopped after a SIGTERM (the
    checkpoint of the last step is then on disk) and TrainingError when the loss is no number any more.
    """
    resume, skipped = checkpoints.newest_complete(folder, mark)
    for sentence in skipped:
        log.warning("%s", sentence)
    partial = folder / checkpoints.PARTIAL
    shutil.rmtree(partial, ignore_errors=True)  # what an interrupted save left
    start = int(resume.name.rsplit("-", 1)[1]) if resume else 0
    if resume:
        log.info("going on from %s", resume.name)
    watcher = _Watcher(config, partial, mark, progress, stop, start)
    transformers_logging.set_verbosity_error()
    trainer = Trainer(
        model=model,
        args=_arguments(config, partial, device),
        train_dataset=windows,
        data_collator=functools.partial(collate, config),
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)  # prints raw dicts; `Progress` writes the lines
    begun = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    seconds = time.monotonic() - begun
    shutil.rmtree(partial, ignore_errors=True)
    if stop.requested:
        raise Stopped
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    return LossCurve(
        steps=[int(entry["step"]) for entry in history],
        losses=[float(entry["loss"]) for entry in history],
        learning_rates=[float(entry["learning_rate"]) for entry in history],
        seconds=seconds,
        samples_per_second=(config.training.steps - start) * config.training.batch_size / max(seconds, 1e-9),
        resumed_from=start,
    )


def _arguments(config: TrainingConfig, folder: Path, device: str) -> TrainingArguments:
    how = config.training
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=how.steps,
        per_device_train_batch_size=how.batch_size,
        learning_rate=how.learning_rate,
        lr_scheduler_type=how.lr_scheduler,
        warmup_steps=how.warmup_steps,
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_grad_norm,
        optim="adamw_torch_fused",
        seed=how.seed,
        # The windows are random by themselves: index order makes the order reproducible and a resume exact.
        train_sampling_strategy="sequential",
        logging_strategy="steps",
        logging_steps=how.log_every_steps,
        logging_nan_inf_filter=False,  # a loss that is no number must be seen, not smoothed over
        save_strategy="steps",
        save_steps=how.checkpoint_every_steps,
        save_only_model=False,
        # A worker process costs more than the windows, and on two cores it takes a core away.
        dataloader_num_workers=0,
        dataloader_pin_memory=device == "cuda",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        use_cpu=device == "cpu",
    )


class _Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Reports each step, moves finished checkpoints to their place, and ends the loop when asked to."""

    def __init__(
        self, config: TrainingConfig, partial: Path, mark: str, progress: Progress, stop: StopRequest, start: int
    ) -> None:
        self._config, self._partial, self._mark = config, partial, mark
        self._progress, self._stop, self._start = progress, stop, start
        self._begun = time.monotonic()
        self._loss: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._begun = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        done, total = state.global_step - self._start, self._config.training.steps
        pace = done / max(time.monotonic() - self._begun, 1e-9)
        self._progress.step(
            state.global_step,
            total,
            loss=self._loss,
            samples_per_second=pace * self._config.training.batch_size,
            eta_seconds=(total - state.global_step) / max(pace, 1e-9),
        )
        if self._stop.requested:
            control.should_save = control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs is None or "loss" not in logs:
            return
        self._loss = float(logs["loss"])
        if not math.isfinite(self._loss):
            raise TrainingError(
                f"The loss is no number any more at step {state.global_step}.",
                hint="Lower training.learning_rate or training.max_grad_norm.",
            )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        keep = self._config.training.keep_checkpoints
        path = checkpoints.publish(self._partial, state.global_step, keep, self._mark)
        log.info("saved %s", path.name)
