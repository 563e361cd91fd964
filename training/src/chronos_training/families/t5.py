"""Chronos on T5: scaled values as tokens of a vocabulary, sample paths as forecasts. One column, no covariates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chronos import ChronosPipeline
from chronos.chronos import ChronosConfig, ChronosModel
from transformers import T5ForConditionalGeneration

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.windows import Window
from chronos_training.families.base import (
    Array,
    History,
    at_most,
    batches,
    brought,
    left_padded,
    loaded,
    must_agree,
)
from chronos_training.families.t5_config import t5_config
from chronos_training.families.t5_masks import added_mask
from chronos_training.families.t5_sampling import SETTINGS, sample

IGNORED = -100  # labels that T5's loss leaves out
SPECIAL = 2  # the first tokens: padding (also: missing) and the end


class T5:
    """Ansari et al. 2024, arXiv:2403.07815."""

    label_names = ("labels",)
    lora_modules = ("q", "k", "v", "o")

    def build(self, config: TrainingConfig) -> Any:
        """Return a model with random weights."""
        vocabulary = config.model.vocabulary
        core = t5_config(
            config, "T5ForConditionalGeneration", "ChronosPipeline", _chronos_config(config), vocab_size=vocabulary,
            # Upstream's script takes 0.05. At these small widths attention then stays flat: after 1,000 steps on daily
            # series the loss was 2.98 instead of 2.77, and no forecast knew the day of the week.
            initializer_factor=1.0,
        )  # fmt: skip
        model = T5ForConditionalGeneration(core)
        _order(model.shared.weight)
        return model

    def load(self, folder: Path, config: TrainingConfig) -> Any:
        """Return the model in a folder."""
        model = loaded(lambda: T5ForConditionalGeneration.from_pretrained(folder), folder, "Chronos")
        if not isinstance(getattr(model.config, "chronos_config", None), dict):
            raise ConfigurationError(
                f"{folder} holds a T5 model that is not a Chronos model: it has no chronos_config."
            )
        own = ChronosConfig(**model.config.chronos_config)
        if own.tokenizer_kwargs.keys() != {"low_limit", "high_limit"} or own.model_type != "seq2seq":
            raise ConfigurationError(
                f"{folder} has a tokenizer other than the one upstream uses for T5: {own.tokenizer_kwargs}."
            )
        low, high = own.tokenizer_kwargs["low_limit"], own.tokenizer_kwargs["high_limit"]
        must_agree(
            folder,
            vocabulary=(config.model.vocabulary, own.n_tokens),
            low_limit=(config.model.low_limit, low),
            high_limit=(config.model.high_limit, high),
        )
        at_most(folder, "forecast.prediction_length", config.forecast.prediction_length, own.prediction_length)
        at_most(folder, "model.context_length", config.model.context_length, own.context_length)
        return model

    def collate(self, config: TrainingConfig, windows: Sequence[Window]) -> dict[str, Any]:
        """Return input_ids (batch, C + 1), labels (batch, H + 1) and, where histories have gaps, attention_mask.

        Missing values are ignored. The mask is what is added to the scores: of any other the model asks first whether it
        hides anything, and a GPU has to finish all its work for the answer.
        """
        tokenizer = self._tokenizer(config)
        context = torch.from_numpy(np.concatenate([w["context"] for w in windows]))
        future = torch.from_numpy(np.concatenate([w["future_target"] for w in windows]))
        tokens, mask, scale = tokenizer.context_input_transform(context)
        labels, seen = tokenizer.label_input_transform(future, scale)
        labels[~seen] = IGNORED
        batch = {"input_ids": tokens, "labels": labels}
        return batch if mask.all() else batch | {"attention_mask": added_mask(mask)}

    def while_training(self, model: Any, config: TrainingConfig) -> AbstractContextManager[None]:
        """Nothing to leave out."""
        return nullcontext()

    def save(self, model: Any, folder: Path) -> None:
        """Write upstream's directory."""
        model.save_pretrained(folder)

    def predict(
        self, model: Any, histories: Sequence[History], config: TrainingConfig, check: Callable[[], None]
    ) -> Array:
        """Return quantiles (histories, 1, levels, horizon) of sample paths, drawn with the configured seed."""
        chronos, draw = ChronosConfig(**model.config.chronos_config), _as_upstream
        if all(getattr(chronos, name) == value for name, value in SETTINGS.items()):
            draw = _together
        model.eval()
        out = []
        # Drawing must not move the generators that the training continues with.
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(config.training.seed)
            for part in batches(histories, config.evaluation.batch_size):
                context = left_padded([history.target for history in part])
                samples = draw(model, chronos, context, config.forecast.prediction_length, config.model.samples)
                drawn = np.quantile(samples.double().numpy(), config.forecast.quantile_levels, axis=1)
                out.append(drawn.swapaxes(0, 1))
                check()
        return np.concatenate(out)[:, None]

    def _tokenizer(self, config: TrainingConfig) -> Any:
        if getattr(self, "_made_for", None) is not config:
            self._made_for, self._made = config, ChronosConfig(**_chronos_config(config)).create_tokenizer()
        return self._made


def _together(model: Any, chronos: ChronosConfig, context: torch.Tensor, horizon: int, paths: int) -> torch.Tensor:
    """Return sample paths (series, paths, horizon) after histories (series, length)."""
    tokenizer = chronos.create_tokenizer()
    tokens, seen, scale = tokenizer.context_input_transform(context)
    mask = None if seen.all() else brought(added_mask(seen), model.device)
    drawn = sample(model, brought(tokens, model.device), mask, horizon, paths)
    return tokenizer.output_transform(drawn.cpu(), scale)


def _as_upstream(model: Any, chronos: ChronosConfig, context: torch.Tensor, horizon: int, paths: int) -> torch.Tensor:
    """Do the same for a model that draws in another way."""
    pipeline = ChronosPipeline(chronos.create_tokenizer(), ChronosModel(chronos, model))
    return pipeline.predict(context, prediction_length=horizon, num_samples=paths)


def _order(weight: torch.Tensor) -> None:
    """Give the tokens of neighbouring bins similar vectors: random waves over the bins, of many lengths.

    Upstream draws each vector alone, so that a model has to learn from data alone which bins are near each other; pretraining
    on billions of observations does that, a small training does not.
    """
    bins, width = weight.shape
    lengths = torch.exp(torch.empty(width).uniform_(math.log(8.0), math.log(2.0 * bins)))
    phases = torch.empty(width).uniform_(0.0, 2.0 * math.pi)
    waves = torch.cos(2.0 * math.pi * torch.arange(bins)[:, None] / lengths + phases)
    with torch.no_grad():
        weight[SPECIAL:] = (math.sqrt(2.0) * weight.std() * waves)[SPECIAL:]


def _limits(config: TrainingConfig) -> dict[str, float]:
    return {"low_limit": config.model.low_limit, "high_limit": config.model.high_limit}


def _chronos_config(config: TrainingConfig) -> dict[str, Any]:
    """Return upstream's settings of tokenizer and sampling."""
    return {
        "tokenizer_class": "MeanScaleUniformBins",
        "tokenizer_kwargs": _limits(config),
        "context_length": config.model.context_length,
        "prediction_length": config.forecast.prediction_length,
        "n_tokens": config.model.vocabulary,
        "n_special_tokens": SPECIAL,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "use_eos_token": True,
        "model_type": "seq2seq",
        "num_samples": config.model.samples,
        "temperature": 1.0,
        "top_k": 50,
        "top_p": 1.0,
    }
