"""What must hold before data moves: device, disk, and an environment that starts (R13)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from chronos_training.core.errors import TrainingError

GB = 1 << 30
# Checkpoints, results and logs of a run, beside data and environment.
WORK_BYTES = 2 * GB

_PROBE = """
import json, torch, chronos
cuda = torch.cuda.is_available()
print(json.dumps({"torch": torch.__version__, "chronos": chronos.__version__, "cuda_build": torch.version.cuda,
                  "cuda": cuda, "gpu": torch.cuda.get_device_name(0) if cuda else None}))
"""


def check_machine(device: str, needed_bytes: int, work: Path) -> dict[str, Any]:
    """Check driver and disk; return what was found. Raises TrainingError that says what to change."""
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    needed = needed_bytes + WORK_BYTES
    if free < needed:
        raise TrainingError(
            f"Preflight: {free / GB:.1f} GB free below {work}, but this run needs {needed / GB:.1f} GB.",
            hint="Raise training_launch_volume_gb.",
        )
    found: dict[str, Any] = {"device": device, "free_bytes": free}
    if device == "cuda":
        found["nvidia_smi"] = _nvidia_smi()
    return found


def _nvidia_smi() -> str:
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise TrainingError(
            f"Preflight: the run is configured for a GPU, but nvidia-smi does not work here: {error}.",
            hint="Use a GPU instance type with the driver image, or set training_launch_device=cpu.",
        ) from error
    return answer.stdout.strip()


def check_environment(python: Path, device: str, expected_torch: str, variables: dict[str, str]) -> dict[str, Any]:
    """Start the environment's Python, import torch and chronos, and compare with what was published.

    Returns the versions. Raises TrainingError when it does not start, differs, or has no working GPU for `cuda`.
    """
    try:
        answer = subprocess.run(
            [str(python), "-c", _PROBE], capture_output=True, text=True, timeout=300, env={**os.environ, **variables}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainingError(f"Preflight: the environment's Python does not start: {error}.") from error
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no output"])[-1]
        raise TrainingError(
            f"Preflight: the environment does not work on this machine: {last}",
            hint="It was built for another system; see playbooks/publish_runtime.yml.",
        )
    found: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
    if found["torch"] != expected_torch:
        raise TrainingError(f"Preflight: torch is {found['torch']}, but {expected_torch} was published.")
    if device == "cuda" and not found["cuda"]:
        raise TrainingError(
            f"Preflight: torch {found['torch']} (CUDA build: {found['cuda_build']}) finds no GPU.",
            hint="The driver may be older than the build of torch needs, or it is a CPU build.",
        )
    return found
