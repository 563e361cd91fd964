"""Chronos-Bolt: an encoder and a decoder over patches, all quantiles of the horizon in one pass. One column, no covariates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chronos import ChronosBoltPipeline
from chronos.chronos_bolt import ChronosBoltModelForForecasting

from chronos_training.config.schema import TrainingConfig
from chronos_training.data.windows import Window
from chronos_training.families.base import (
    Array,
    History,
    at_most,
    batches,
    brought,
    core,
    left_padded,
    loaded,
    must_agree,
)
from chronos_training.families.bolt_loss import loss_model
from chronos_training.families.t5_config import t5_config
from chronos_training.families.t5_masks import added_masks

# peft asks every model for it, and upstream's class, which has no embedding of tokens but that of its two special ones, has
# no answer that transformers 5 finds by itself.
ChronosBoltModelForForecasting.get_input_embeddings = lambda self: self.shared

# The model sees a window in standard deviations of its context. Demand after a context of zeros is 100,000 of them away, or
# more: the validation loss, which chooses the number of steps, would be that of one such window. It is not learnt from.
FARTHEST = 100.0
_LEAST_SCALE = 1e-5  # upstream's, of a constant context


class Bolt:
    """https://huggingface.co/autogluon/chronos-bolt-base."""

    label_names = ("target",)
    lora_modules = ("q", "k", "v", "o", "output_patch_embedding.output_layer")

    def build(self, config: TrainingConfig) -> Any:
        """Return a model with random weights."""
        chronos = {
            "context_length": config.model.context_length,
            "prediction_length": config.forecast.prediction_length,
            "input_patch_size": config.model.patch_size,
            "input_patch_stride": config.model.patch_size,
            "quantiles": config.model_levels,
            "use_reg_token": True,
        }
        settings = t5_config(
            config, "ChronosBoltModelForForecasting", "ChronosBoltPipeline", chronos, initializer_factor=0.05
        )
        return ChronosBoltModelForForecasting(settings)

    def load(self, folder: Path, config: TrainingConfig) -> Any:
        """Return the model in a folder."""
        model = loaded(lambda: ChronosBoltModelForForecasting.from_pretrained(folder), folder, "Chronos-Bolt")
        own = model.chronos_config
        must_agree(folder, patch_size=(config.model.patch_size, own.input_patch_size))
        must_agree(folder, levels=(config.model_levels, list(own.quantiles)))
        at_most(folder, "forecast.prediction_length", config.forecast.prediction_length, own.prediction_length)
        return model

    def collate(self, config: TrainingConfig, windows: Sequence[Window]) -> dict[str, Any]:
        """Return context (batch, C) and target (batch, H), NaN where a target is further from its context than FARTHEST."""
        context = np.concatenate([w["context"] for w in windows])
        target = np.concatenate([w["future_target"] for w in windows])
        return {
            "context": torch.from_numpy(context),
            "target": torch.from_numpy(np.where(_distance(context, target) > FARTHEST, np.nan, target)),
        }

    def while_training(self, model: Any, config: TrainingConfig) -> AbstractContextManager[None]:
        """Compute the loss without asking the device anything."""
        return loss_model(core(model))

    def save(self, model: Any, folder: Path) -> None:
        """Write upstream's directory."""
        model.save_pretrained(folder)

    def predict(
        self, model: Any, histories: Sequence[History], config: TrainingConfig, check: Callable[[], None]
    ) -> Array:
        """Return quantiles (histories, 1, levels, horizon)."""
        if config.forecast.prediction_length <= model.eval().chronos_config.prediction_length:
            with torch.inference_mode():
                return _in_one_pass(model, histories, config, check)
        # Longer than the model forecasts at once: upstream's heuristic.
        pipeline = ChronosBoltPipeline(model)
        out = []
        for part in batches(histories, config.evaluation.batch_size):
            quantiles, _ = pipeline.predict_quantiles(
                [torch.from_numpy(history.target[0]) for history in part],
                prediction_length=config.forecast.prediction_length,
                quantile_levels=list(config.forecast.quantile_levels),
            )
            out.append(quantiles.double().numpy().swapaxes(1, 2))
            check()
        return np.concatenate(out)[:, None]


def _distance(context: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how far each target (batch, H) is from the mean of its context (batch, C), in its standard deviations."""
    there = np.isfinite(context)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    mean = np.where(there, context, 0.0).sum(axis=1, keepdims=True) / count
    deviation = np.sqrt((np.where(there, context - mean, 0.0) ** 2).sum(axis=1, keepdims=True) / count)
    return np.asarray(np.abs(target - mean) / np.where(deviation == 0.0, _LEAST_SCALE, deviation))


def _in_one_pass(model: Any, histories: Sequence[History], config: TrainingConfig, check: Callable[[], None]) -> Array:
    """Forecast; the numbers stay on the device until the last batch."""
    learnt, out = list(model.chronos_config.quantiles), []
    levels = [learnt.index(level) for level in config.forecast.quantile_levels]
    with added_masks(model):
        for part in batches(histories, config.evaluation.batch_size):
            context = brought(left_padded([one.target for one in part]), model.device)
            found = model(context=context).quantile_preds
            out.append(found[:, levels, : config.forecast.prediction_length])
            check()
    return np.asarray(torch.cat(out).double().cpu().numpy())[:, None]
