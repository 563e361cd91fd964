"""Chronos-2: quantiles of all targets of an item at once, with past and known covariates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chronos import Chronos2Pipeline
from chronos.chronos2 import Chronos2Model
from chronos.chronos2.config import Chronos2CoreConfig

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.windows import Window
from chronos_training.families.base import (
    Array,
    History,
    batches,
    brought,
    core,
    left_padded,
    loaded,
    must_agree,
)
from chronos_training.families.chronos2_encoder import loss_encoder


class Chronos2:
    """Ansari et al. 2025, arXiv:2510.15821."""

    label_names = ("future_target",)
    # Upstream's own choice in Chronos2Pipeline.fit.
    lora_modules = (*(f"self_attention.{part}" for part in "qvko"), "output_patch_embedding.output_layer")

    def build(self, config: TrainingConfig) -> Any:
        """Return a model with random weights."""
        size = config.model
        settings = Chronos2CoreConfig(
            d_model=size.d_model,
            d_kv=size.d_kv,
            d_ff=size.d_ff,
            num_layers=size.num_layers,
            num_heads=size.num_heads,
            dropout_rate=size.dropout_rate,
            # upstream's value; with 1.0 the same training ended at WQL 0.081 instead of 0.056
            initializer_factor=0.05,
            architectures=["Chronos2Model"],
            # by this key upstream's generic loader, which AutoGluon uses too, knows the family
            chronos_pipeline_class="Chronos2Pipeline",
            chronos_config={
                "context_length": size.context_length,
                "input_patch_size": size.patch_size,
                "input_patch_stride": size.patch_size,
                "output_patch_size": size.patch_size,
                "max_output_patches": output_patches(config),
                "quantiles": config.model_levels,
                "use_reg_token": True,
                "use_arcsinh": True,
                "time_encoding_scale": size.context_length,
            },
        )
        return Chronos2Model(settings)

    def load(self, folder: Path, config: TrainingConfig) -> Any:
        """Return the model in a folder."""
        model = loaded(lambda: Chronos2Model.from_pretrained(folder), folder, "Chronos-2")
        own = model.chronos_config
        must_agree(folder, patch_size=(config.model.patch_size, own.input_patch_size))
        must_agree(folder, levels=(config.model_levels, list(own.quantiles)))
        return model

    def collate(self, config: TrainingConfig, windows: Sequence[Window]) -> dict[str, Any]:
        """Return context (rows, C) and future_target (rows, H); the rows of one window are one group."""
        columns = windows[0]["context"].shape[0]
        context = torch.from_numpy(np.concatenate([w["context"] for w in windows]))
        patches = output_patches(config)
        # Upstream fills the last patch up by itself, with zeros from the CPU, for which a GPU has to wait.
        length = patches * config.model.patch_size
        batch = {"context": context, "num_output_patches": patches}
        if columns == 1:
            batch["future_target"] = torch.from_numpy(
                _padded(np.concatenate([w["future_target"] for w in windows]), len(windows), length)
            )
            batch["group_ids"] = torch.arange(len(windows))
            return batch
        futures, known = [], []
        for window in windows:
            # Upstream's order: targets, past covariates, known covariates. Only the targets have a loss.
            targets, ahead = window["future_target"], window["known"]
            futures.append(_padded(targets, columns, length))
            known.append(_padded(ahead, columns, length, at=columns - len(ahead)))
        batch["future_target"] = torch.from_numpy(np.concatenate(futures))
        batch["group_ids"] = torch.arange(len(windows)).repeat_interleave(columns)
        if len(windows[0]["known"]):
            batch["future_covariates"] = torch.from_numpy(np.concatenate(known))
        return batch

    def while_training(self, model: Any, config: TrainingConfig) -> AbstractContextManager[None]:
        """Leave out of the encoder what cannot reach the loss."""
        data = config.dataset
        columns = len(data.targets) + len(data.past_covariates) + len(data.known_covariates)
        return loss_encoder(core(model), output_patches(config), alone=columns == 1)

    def save(self, model: Any, folder: Path) -> None:
        """Write upstream's directory."""
        Chronos2Pipeline(model).save_pretrained(folder)

    def predict(
        self, model: Any, histories: Sequence[History], config: TrainingConfig, check: Callable[[], None]
    ) -> Array:
        """Return quantiles (histories, targets, levels, horizon)."""
        horizon = config.forecast.prediction_length
        levels = [config.model_levels.index(level) for level in config.forecast.quantile_levels]
        model.eval()
        if output_patches(config) <= model.chronos_config.max_output_patches:
            with torch.inference_mode():
                return _in_one_pass(model, histories, config, levels, check)
        # Longer than the model forecasts at once: upstream's heuristic.
        out = Chronos2Pipeline(model).predict(
            [_task(history) for history in histories],
            prediction_length=horizon,
            batch_size=config.evaluation.batch_size,
            after_batch=check,
        )
        return np.stack([tensor.double().numpy()[:, levels] for tensor in out])


def _in_one_pass(
    model: Any, histories: Sequence[History], config: TrainingConfig, levels: Sequence[int], check: Callable[[], None]
) -> Array:
    """Forecast without what cannot reach a forecast; the numbers stay on the device until the last batch."""
    horizon, patches = config.forecast.prediction_length, output_patches(config)
    targets, known = len(histories[0].target), len(histories[0].known)
    columns, length = targets + len(histories[0].past) + known, patches * config.model.patch_size
    out = []
    with loss_encoder(model, patches, alone=columns == 1):
        # The size of a batch counts series, as upstream's.
        for part in batches(histories, max(1, config.evaluation.batch_size // columns)):
            blocks = [np.concatenate([one.target, one.past, one.known[:, : one.target.shape[1]]]) for one in part]
            batch = {"context": left_padded(blocks), "group_ids": torch.arange(len(part)).repeat_interleave(columns)}
            if known:
                ahead = [_padded(one.known[:, -horizon:], columns, length, at=columns - known) for one in part]
                batch["future_covariates"] = torch.from_numpy(np.concatenate(ahead))
            batch = {key: brought(one, model.device) for key, one in batch.items()}
            found = model(**batch, num_output_patches=patches).quantile_preds
            found = found.unflatten(0, (len(part), columns))[:, :targets]
            out.append(found[..., levels, :horizon])
            check()
    return np.asarray(torch.cat(out).double().cpu().numpy())


def output_patches(config: TrainingConfig) -> int:
    """Return how many patches cover the horizon in one forward pass."""
    return math.ceil(config.forecast.prediction_length / config.model.patch_size)


def _padded(values: Array, rows: int, length: int, *, at: int = 0) -> Array:
    """Return (rows, length) with `values` from row `at` on, missing elsewhere."""
    out = np.full((rows, length), np.nan, dtype=np.float32)
    out[at : at + len(values), : values.shape[1]] = values
    return out


def _task(history: History) -> Any:
    if not len(history.past) and not len(history.known):
        return torch.from_numpy(history.target)
    length = history.target.shape[1]
    past = {f"past{i}": row for i, row in enumerate(history.past)}
    past |= {f"known{i}": row[:length] for i, row in enumerate(history.known)}
    known = {f"known{i}": row[length:] for i, row in enumerate(history.known)}
    return {"target": history.target, "past_covariates": past, "future_covariates": known}
