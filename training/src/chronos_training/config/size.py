"""How many numbers a model has and what learning them needs, by its configuration alone: before anything is paid."""

from __future__ import annotations

from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import ConfigurationError

GB = 1e9
# Weight, gradient, and two moments of AdamW, 4 bytes each; activations come on top, by batch and context.
BYTES_OF_LEARNING = 16
BYTES_OF_WEIGHT = 4
# A checkpoint has the weight and both moments.
BYTES_OF_CHECKPOINT = 12


def parameters(config: TrainingConfig) -> int:
    """Return about how many parameters the model has; 0 for AutoGluon, which has many models.

    Without biases and norms, which are a few thousandths. Of pretrained weights: by the adopted sizes.
    """
    size, levels = config.model, len(config.model_levels)
    if size.family == "autogluon":
        return 0
    width, attention = size.d_model, 4 * size.d_model * size.num_heads * size.d_kv
    feed_forward = 2 * size.d_model * size.d_ff
    if size.family == "chronos_t5":
        return size.num_layers * (3 * attention + 2 * feed_forward) + size.vocabulary * width

    def patches(inputs: int, outputs: int) -> int:
        """A residual block: through the hidden layer, and past it."""
        return inputs * size.d_ff + size.d_ff * outputs + inputs * outputs

    if size.family == "chronos_bolt":
        ends = patches(2 * size.patch_size, width) + patches(width, levels * config.forecast.prediction_length)
        return size.num_layers * (3 * attention + 2 * feed_forward) + ends
    ends = patches(3 * size.patch_size, width) + patches(width, levels * size.patch_size)
    return size.num_layers * (2 * attention + feed_forward) + ends


def learning_bytes(config: TrainingConfig) -> int:
    """Return the least memory that one process of the training needs for its parameters."""
    each = BYTES_OF_LEARNING if config.training.method == "full" else BYTES_OF_WEIGHT
    return parameters(config) * each


def in_words(config: TrainingConfig) -> str:
    """Return `148 k parameters, which need 2.4 MB to learn`."""
    return f"{_count(parameters(config))} parameters, which need at least {_size(learning_bytes(config))} to train"


def check_memory(config: TrainingConfig, memory_gb: float, where: str, *, shared: bool) -> None:
    """Raise ConfigurationError when `memory_gb` of `where` cannot hold what learns. `shared` by all processes of it."""
    needed = learning_bytes(config) * (config.run.processes if shared else 1) / GB
    if needed <= memory_gb:
        return
    many = f" in each of {config.run.processes} processes" if shared and config.run.processes > 1 else ""
    raise ConfigurationError(
        f"model.d_model: {config.model.d_model} with {config.model.num_layers} layers and d_ff {config.model.d_ff} "
        f"has {_count(parameters(config))} parameters{many}, and training them needs at least {needed:,.1f} GB; "
        f"{where} has {memory_gb:,.0f} GB.",
        hint="Make the model smaller (d_model, d_ff, num_layers), or use a machine with more memory.",
    )


def check_disk(config: TrainingConfig, volume_gb: float) -> None:
    """Raise ConfigurationError when a volume cannot hold the checkpoints that are kept."""
    kept = config.training.keep_checkpoints + 2  # the best, and the one that is being written
    needed = kept * parameters(config) * BYTES_OF_CHECKPOINT / GB
    if needed > volume_gb:
        raise ConfigurationError(
            f"training.keep_checkpoints: {config.training.keep_checkpoints} checkpoints of {_count(parameters(config))} "
            f"parameters need {needed:,.0f} GB, with the best and the one being written; the volume has {volume_gb:,.0f} GB.",
            hint="Keep fewer, or raise training_launch_volume_gb.",
        )


def step_seconds(config: TrainingConfig, model: dict[str, Any], device: str) -> float:
    """Return about how long one optimizer step takes, in seconds, for the sizes of a section `model`.

    By the multiplications of forward and backward pass, six for each parameter and token, at what one core of a common
    server or one GPU computes with small models (measured: docs/bench-training.md), and a fixed part for the loop.
    """
    sized = config.model_copy(update={"model": config.model.model_copy(update=model)})
    tokens = model["context_length"] // model["patch_size"] + 2
    work = 6.0 * parameters(sized) * int(tokens) * config.training.batch_size
    loop, speed = (0.02, 3e12) if device == "cuda" else (0.01, 4e10)
    return loop + work / speed


def _count(number: float) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:,.1f} {word}"
    return f"{number:,.0f}"


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
