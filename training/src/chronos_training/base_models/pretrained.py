"""What a folder of pretrained weights is: which Chronos family, its sizes, its files. Nothing of torch is needed to tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_training.core.errors import ConfigurationError
from chronos_training.core.hashing import sha256_file

# config.json's `architectures`, as upstream writes it.
FAMILIES = {
    "Chronos2Model": "chronos2",
    "ChronosBoltModelForForecasting": "chronos_bolt",
    "T5ForConditionalGeneration": "chronos_t5",
}
# Loading a pickle runs whatever code is in it; these are never published.
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5"}
KEPT = {".json", ".safetensors", ".md", ".txt"}
SIZES = ("d_model", "d_kv", "d_ff", "num_layers", "num_heads", "dropout_rate")


@dataclass(frozen=True)
class Pretrained:
    """A checked folder. `files` are (path, size in bytes, sha256 in hex); `settings` what a training takes over."""

    folder: Path
    family: str
    settings: dict[str, Any]
    files: list[dict[str, Any]]


def read_pretrained(folder: Path) -> Pretrained:
    """Return what lies in `folder`. ConfigurationError when it is no Chronos model, is torn, or has pickled weights only."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder with a model.")
    config = _config(folder)
    names = [str(name) for name in config.get("architectures") or []]
    family = next((FAMILIES[name] for name in names if name in FAMILIES), None)
    if family is None or not isinstance(config.get("chronos_config"), dict):
        raise ConfigurationError(
            f"{folder / 'config.json'} does not belong to a Chronos model: architectures "
            f"{', '.join(names) or 'missing'}.",
            hint=f"Supported: {', '.join(FAMILIES)}, with a chronos_config.",
        )
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix in KEPT and _visible(path, folder)
    )
    weights = [path for path in paths if path.suffix == ".safetensors"]
    if not weights:
        pickled = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLES)
        found = f"only {', '.join(pickled)}, which can run arbitrary code when loaded" if pickled else "none"
        raise ConfigurationError(
            f"{folder} has no weights in safetensors: {found}.",
            hint="Save the model with save_pretrained and give that folder.",
        )
    for path in weights:
        _check_weights(path)
    files = [
        {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": sha256_file(path)}
        for path in paths
    ]
    return Pretrained(folder, family, settings_of(config), files)


def _visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{folder} has no config.json, so it is not a model folder.") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is not readable as JSON: {error}.") from None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} is not a JSON object.")
    return config


def _check_weights(path: Path) -> None:
    """Compare the header of a safetensors file with its size: a download that was cut off shows here.

    The format: https://github.com/huggingface/safetensors#format
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if 8 + length <= size else None
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"] if header else []
    except (ValueError, KeyError, TypeError, AttributeError):
        ends = []
    if not ends or 8 + length + max(ends) != size:
        raise ConfigurationError(f"{path} is not a complete safetensors file ({size:,} bytes).", hint="Fetch it again.")


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a training takes over from a model's config.json: sizes, longest history and horizon, levels."""
    chronos = config["chronos_config"]
    # Chronos-2 counts its longest horizon in patches; the others name it.
    patches = (chronos.get("max_output_patches") or 0) * (chronos.get("output_patch_size") or 0)
    return {
        **{name: config.get(name) for name in SIZES},
        "patch_size": chronos.get("input_patch_size"),
        "context_length": chronos.get("context_length"),
        "longest_prediction": patches or chronos.get("prediction_length"),
        "levels": chronos.get("quantiles"),
        "vocabulary": chronos.get("n_tokens"),
        **{name: (chronos.get("tokenizer_kwargs") or {}).get(name) for name in ("low_limit", "high_limit")},
    }
