"""The smallest folder that is published as a model."""

from __future__ import annotations

import json
from pathlib import Path

CHRONOS_2 = {
    "architectures": ["Chronos2Model"],
    "d_model": 16,
    "chronos_config": {
        "context_length": 64, "input_patch_size": 8, "output_patch_size": 8, "max_output_patches": 4, "quantiles": [0.1, 0.5, 0.9],
    },
}  # fmt: skip


def safetensors(content: bytes = b"\0" * 8) -> bytes:
    """Return a file of one tensor with `content`."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


def make_model(folder: Path) -> Path:
    """Make `folder` with configuration and weights; return it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CHRONOS_2))
    (folder / "model.safetensors").write_bytes(safetensors())
    return folder
