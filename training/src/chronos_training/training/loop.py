"""The training loop: the Trainer of transformers over our windows, with complete checkpoints, progress and a polite stop."""

from __future__ import annotations

import functools
import gc
import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging as transformers_logging

from chronos_training.config.precision import Precision, precision
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.windows import TrainingWindows, ValidationWindows
from chronos_training.families.base import Family
from chronos_training.training import checkpoints, ranks, validation
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.progress import Progress, log
from chronos_training.training.stopping import Stopped, StopRequest

TRAINER_STATE = "trainer_state.json"
REFIT_FILE = "refit.json"
# An optimizer that nobody here has: accelerate would look for it on the disk twice in each step.
sys.modules.setdefault("lomo_optim", None)  # type: ignore[arg-type]  # Python's own mark of what cannot be imported


def train(
    model: Any,
    family: Family,
    windows: TrainingWindows,
    config: TrainingConfig,
    *,
    validate: ValidationWindows | None = None,
    device: str,
    folder: Path,
    fingerprint: str,
    progress: Progress,
    stop: StopRequest,
    search: dict[str, Any] | None = None,
    first: int = 0,
) -> LossCurve:
    """Train `model` in place and return its loss curve; with `validate` it has the best checkpoint's weights at the end.

    Where no step is better on the validation windows than the pretrained weights at the begin, `chosen_step` is 0, and the caller
    has to make the model again.

    `folder` is the checkpoints folder; its newest complete checkpoint with this `fingerprint` is resumed, bit for
    bit as if there had been no interruption (same machine type and thread count). Raises Stopped after a SIGTERM (the
    checkpoint of the last step is then on disk) and TrainingError when the loss is no number any more. Of a refit
    (models.refit) each checkpoint holds what the `search` found, and is counted from its `first` step on.
    """
    partial = folder / checkpoints.PARTIAL
    numbers = precision_here(config, device)
    log.info("precision %s", numbers.sentence)
    if numbers.warning:
        log.warning("%s", numbers.warning)
    # This connects the processes.
    arguments = _arguments(config, family, partial, device, numbers.numbers, validate is not None)
    complete, skipped = checkpoints.complete(folder, fingerprint, most=None if ranks.together() else 1)
    for sentence in skipped:
        log.warning("%s", sentence)
    # One instance may have been ended between two others' moves of the same checkpoint.
    common = ranks.in_all([step for step in complete if step > first])
    resume = folder / f"checkpoint-{common[0]}" if common else None
    if ranks.is_first_here():
        shutil.rmtree(partial, ignore_errors=True)  # what an interrupted save left
    start = common[0] - first if resume else 0
    # Pretrained weights may be better than all that comes of them. A resumed run has that validation in its history.
    arguments.eval_on_start = validate is not None and resume is None and config.model.initialization == "pretrained"
    if resume:
        log.info("resuming from %s", resume.name)
    watcher = _Watcher(config, numbers.numbers, partial, fingerprint, progress, stop, start, search, first)
    transformers_logging.set_verbosity_error()
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=windows,
        eval_dataset=validate,
        data_collator=functools.partial(family.collate, config),
        callbacks=[watcher],
    )
    # Each family's loss is a mean over its batch. The Trainer takes a forward with **kwargs for one that wants the sum
    # divided by a number of tokens, and would then not average over accumulated parts and processes.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)  # prints raw dicts; `Progress` writes the lines
    gc.freeze()  # the libraries: the Trainer collects garbage at its begin, which takes half a second with them
    begun = time.monotonic()
    history = _history(resume) if resume else []
    if not validation.is_exhausted(history, config.training.early_stopping_patience):
        with family.while_training(model, config):
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
            # Mixed precision wraps the model's forward; from here on it computes as whoever loads it will.
            trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False)
        history = trainer.state.log_history
    seconds = time.monotonic() - begun
    ranks.wait_for_all()
    if ranks.is_first_here():
        shutil.rmtree(partial, ignore_errors=True)
    if watcher.stopped:
        raise Stopped
    last = max(trainer.state.global_step, start)
    chosen = _choose(trainer, folder, history, last) if validate is not None else last
    logged = [entry for entry in history if "loss" in entry]
    return LossCurve(
        steps=[int(entry["step"]) for entry in logged],
        losses=[float(entry["loss"]) for entry in logged],
        learning_rates=[float(entry["learning_rate"]) for entry in logged],
        seconds=seconds,
        samples_per_second=(last - start) * config.training.batch_size / max(seconds, 1e-9),
        resumed_from=start,
        last_step=last,
        chosen_step=chosen,
        precision=numbers,
        validation=validation.losses(history),
    )


def _history(checkpoint: Path) -> list[dict[str, Any]]:
    state = json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))
    return list(state["log_history"])


def _choose(trainer: Any, folder: Path, history: list[dict[str, Any]], last: int) -> int:
    """Give the model the weights of the best checkpoint that there is; return that checkpoint's step.

    0 is the model that the training began with, which the caller has to make again.
    """
    for loss, step in sorted((loss, step) for step, loss in validation.losses(history)):
        if step == last and trainer.state.global_step == last:
            return last
        if step == 0:
            log.info("validation loss of the base model %.4f: no step of the training is better", loss)
            return 0
        path = folder / f"checkpoint-{step}"
        if reason := checkpoints.torn(path):
            log.warning("step %d has the lowest validation loss, but its weights are lost (%s)", step, reason)
            continue
        log.info("using the weights of step %d: validation loss %.4f", step, loss)
        # The Trainer's own way to load a best model: it knows adapters and tied weights.
        trainer._load_from_checkpoint(str(path))
        return step
    return last


def precision_here(config: TrainingConfig, device: str) -> Precision:
    """Return what a configuration means on this device."""
    if device == "cpu":
        return precision(config, device)
    return precision(config, device, torch.cuda.get_device_capability()[0], torch.cuda.get_device_name())


def connection(config: TrainingConfig, device: str) -> str | None:
    """Return what the processes exchange gradients over; None when there is one."""
    if config.run.ranks == 1:
        return None
    return "gloo" if device == "cpu" else "nccl"


def _arguments(
    config: TrainingConfig, family: Family, folder: Path, device: str, numbers: str, validates: bool
) -> TrainingArguments:
    how = config.training
    return _Arguments(
        output_dir=str(folder),
        max_steps=how.steps,
        per_device_train_batch_size=how.batch_size // (config.run.ranks * how.gradient_accumulation_steps),
        gradient_accumulation_steps=how.gradient_accumulation_steps,
        learning_rate=how.learning_rate,
        lr_scheduler_type=how.lr_scheduler,
        warmup_steps=how.warmup_steps,
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_grad_norm,
        optim="adamw_torch_fused",
        fp16=numbers == "fp16",
        bf16=numbers == "bf16",
        seed=how.seed,
        # The windows are random by themselves: index order makes the order reproducible and a resume exact.
        train_sampling_strategy="sequential",
        logging_strategy="steps",
        logging_steps=how.log_every_steps,
        logging_nan_inf_filter=False,  # a loss that is no number must be seen, not smoothed over
        save_strategy="steps",
        save_steps=how.checkpoint_every_steps,
        save_only_model=False,
        save_on_each_node=config.run.instances > 1,
        eval_strategy="steps" if validates else "no",
        eval_steps=how.checkpoint_every_steps,
        per_device_eval_batch_size=config.evaluation.batch_size,
        prediction_loss_only=True,
        label_names=list(family.label_names),
        # A worker process costs more than the windows, and on two cores it costs one of them.
        dataloader_num_workers=0,
        dataloader_pin_memory=device == "cuda",
        # Else each copy of a batch waits until the GPU has done all that it was given before.
        accelerator_config={"non_blocking": device == "cuda"},
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        use_cpu=device == "cpu",
        ddp_backend=connection(config, device),
        # Bolt's and Chronos-2's tables have rows, and Bolt's decoder parts, that a batch may not use.
        ddp_find_unused_parameters=True,
    )


def _what_mends(numbers: str) -> str:
    """Return what to do about a loss that is no number, the likeliest first."""
    then = "lower training.learning_rate or training.max_grad_norm, and check the data for extreme values."
    if numbers == "fp32":
        return then[0].upper() + then[1:]
    why = "cannot represent numbers beyond 65,504" if numbers == "fp16" else "keeps three digits"
    return (
        f"The model computes in {numbers}, which {why}: set training.precision to fp32. If that does not help, {then}"
    )


class _Arguments(TrainingArguments):  # type: ignore[misc]
    """Upstream's, with a name for the CPU that torch.load takes: of several processes each has a `cpu:0`."""

    @property
    def device(self) -> torch.device:
        found = super().device
        return torch.device("cpu") if found.type == "cpu" else found


class _Trainer(Trainer):  # type: ignore[misc]
    """Upstream's, without what walks through all modules, or looks for packages, at each step of a small model."""

    def floating_point_ops(self, inputs: Any) -> int:
        return 0  # nobody reads it

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        if not model.training:  # after a validation
            model.train()
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, self._prepare_inputs(inputs)) / self.current_gradient_accumulation_steps
        scaler = self.accelerator.scaler  # of fp16
        (loss if scaler is None else scaler.scale(loss)).backward()
        return loss.detach()

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        self.accelerator.unscale_gradients()  # of fp16
        return torch.nn.utils.clip_grad_norm_(self._parameters, self.args.max_grad_norm)

    @functools.cached_property
    def _parameters(self) -> list[torch.nn.Parameter]:
        return list(self.model.parameters())


class _Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Reports each step, moves finished checkpoints to their place, and ends the loop when asked to."""

    def __init__(
        self,
        config: TrainingConfig,
        numbers: str,
        partial: Path,
        fingerprint: str,
        progress: Progress,
        stop: StopRequest,
        start: int,
        search: dict[str, Any] | None,
        first: int,
    ) -> None:
        self._config, self._numbers, self._partial, self._fingerprint = config, numbers, partial, fingerprint
        self._progress, self._stop, self._start = progress, stop, start
        self._search, self._first = search, first
        self._begun = time.monotonic()
        self._loss: float | None = None
        self.stopped = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._begun = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ranks.seed_step(self._config.training.seed, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        done, total = state.global_step - self._start, self._config.training.steps
        pace = done / max(time.monotonic() - self._begun, 1e-9)
        if ranks.is_first():
            self._progress.step(
                self._first + state.global_step,
                self._first + total,
                loss=self._loss,
                samples_per_second=pace * self._config.training.batch_size,
                eta_seconds=(total - state.global_step) / max(pace, 1e-9),
            )
        # The last step counts, too, for the choice of the best.
        control.should_evaluate |= args.eval_strategy != "no" and state.global_step == total
        self.stopped = ranks.any_of(self._stop.requested)
        if self.stopped:
            control.should_save = control.should_training_stop = True
        # A loss is logged before its weights are stored or judged, and at the last step: one that is no number is
        # noticed then, and a run of fewer steps than log_every_steps has a curve.
        control.should_log |= control.should_save or control.should_evaluate or state.global_step == total
        return control

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> Any:
        if ranks.is_first() and metrics:
            log.info("step %d: validation loss %.4f", state.global_step, metrics["eval_loss"])
        if validation.is_exhausted(state.log_history, self._config.training.early_stopping_patience):
            log.info("validation loss stopped improving: training ends")
            control.should_save = control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs is None or "loss" not in logs:
            return
        self._loss = float(logs["loss"])
        if not math.isfinite(self._loss):
            raise TrainingError(
                f"The loss is no longer a number at step {state.global_step}.",
                hint=_what_mends(self._numbers),
            )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ranks.wait_for_all()  # each process writes its random generators' state
        if ranks.is_first_here():
            keep = self._config.training.keep_checkpoints
            if self._config.run.instances > 1:
                keep = max(keep, 2)  # another instance may not have moved its copy of this one yet
            best = validation.best_step(state.log_history)
            if self._search is not None:
                file = self._partial / f"checkpoint-{state.global_step}" / REFIT_FILE
                file.write_text(json.dumps(self._search), encoding="utf-8")
            path = checkpoints.publish(self._partial, state.global_step, keep, self._fingerprint, best, self._first)
            log.info("saved %s", path.name)
        ranks.wait_for_all()
