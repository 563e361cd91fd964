"""What the environment's torch makes of this machine: architectures, the card, and one step of each family.

`python -m chronos_training.training.probe` prints one line of JSON, for `agent/probe.py`.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import torch

from chronos_training.config import TrainingConfig
from chronos_training.families import family

FAMILIES = ("chronos2", "chronos_bolt", "chronos_t5")
CONTEXT, HORIZON, BATCH = 64, 8, 4
SMALL: dict[str, Any] = {
    "name": "probe",
    "dataset": {"name": "none"},
    "forecast": {"prediction_length": HORIZON, "quantile_levels": [0.1, 0.5, 0.9]},
    "model": {
        "context_length": CONTEXT, "patch_size": 8, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4,
        "vocabulary": 256, "samples": 5,
    },
    "training": {"steps": 1, "warmup_steps": 0, "batch_size": BATCH},
}  # fmt: skip


def collect() -> dict[str, Any]:
    """Return versions, architectures and card, and for each family whether a step in fp16 (fp32 without a card) works."""
    card = torch.cuda.is_available()
    device, kind = ("cuda", torch.float16) if card else ("cpu", torch.float32)
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "cuda_build": torch.version.cuda,
        "architectures": torch.cuda.get_arch_list(),
        "card": torch.cuda.get_device_name(0) if card else None,
        "capability": list(torch.cuda.get_device_capability(0)) if card else None,
        "bf16": torch.cuda.is_bf16_supported(including_emulation=False) if card else None,
        "step_precision": "fp16" if card else "fp32",
        "steps": {},
    }
    for name in FAMILIES:
        try:
            found["steps"][name] = _step(name, device, kind)
        except Exception as error:  # what fails here is the finding
            found["steps"][name] = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return found


def _step(name: str, device: str, kind: torch.dtype) -> dict[str, Any]:
    """Take one training step of a small model with random weights on four series; return its loss and seconds."""
    config = TrainingConfig.model_validate({**SMALL, "model": {**SMALL["model"], "family": name}})
    which = family(name)
    torch.manual_seed(0)
    model = which.build(config).to(device).train()
    generator = np.random.default_rng(0)
    series = generator.normal(50, 9, (BATCH, CONTEXT + HORIZON)).astype(np.float32)
    nothing = np.empty((0, HORIZON), np.float32)
    windows = [{"context": s[None, :CONTEXT], "future_target": s[None, CONTEXT:], "known": nothing} for s in series]
    batch = which.collate(config, windows)
    batch = {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    scaler = torch.amp.GradScaler(device, enabled=kind is torch.float16)
    began = time.monotonic()
    with which.while_training(model, config), torch.autocast(device, kind, enabled=kind is torch.float16):
        loss = model(**batch).loss
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    value = float(loss.detach())
    # JSON has no word for what is no number.
    return {"loss": value if math.isfinite(value) else str(value), "seconds": round(time.monotonic() - began, 3)}


if __name__ == "__main__":
    print(json.dumps(collect()))
