"""What must hold before data moves: device, driver, disk, limits, and an environment that starts (R13)."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

from chronos_training.core.clock import duration
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError

GB = 1 << 30
# Checkpoints, results and logs of a run, beside data and environment.
WORK_BYTES = 2 * GB
# A driver that was just loaded needs seconds; a GPU that has fallen off the bus never answers.
NVIDIA_SECONDS = 20.0
# The oldest driver that runs a build for this major version of CUDA:
# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
OPEN_FILES = 4096
# nvidia-smi has answered before, and torch does not say why it sees no GPU.
_NO_GPU = (
    "It is a CUDA build and nvidia-smi works, so either the driver is too old for it (use a newer image: "
    "training_launch_image_parameter) or the GPU is broken (launch again)."
)
# Fetching, starting and storing take minutes; a limit below this can only end as timed_out.
LEAST_SECONDS_LEFT = 10.0


def check_machine(device: str, torch: str, needed_bytes: int, work: Path, seconds_left: float) -> dict[str, Any]:
    """Check limits, disk, and for `cuda` driver against the build of `torch`; return what was found.

    Raises TrainingError that says what to change. Takes seconds, and moves no data.
    """
    if seconds_left < LEAST_SECONDS_LEFT:
        raise TrainingError(
            f"Preflight: only {duration(seconds_left)} of the run's limit are left.",
            hint="Raise run.max_runtime_hours.",
            code="preflight_failed",
        )
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    needed = needed_bytes + WORK_BYTES
    if free < needed:
        raise TrainingError(
            f"Preflight: {free / GB:.1f} GB free below {work}, but this run needs {needed / GB:.1f} GB.",
            hint="Raise training_launch_volume_gb.",
            code="insufficient_disk",
        )
    found: dict[str, Any] = {"device": device, "free_bytes": free, "open_files": _open_files()}
    if device == "cuda":
        found["gpu"] = _check_gpu(torch)
    return found


def _open_files() -> int:
    """Raise the limit of open files to what this process may have, and check it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        with contextlib.suppress(ValueError, OSError):
            soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < OPEN_FILES:
        raise TrainingError(
            f"Preflight: the limit on open files is {soft}, but {OPEN_FILES} are needed.",
            hint="Raise LimitNOFILE of chronos-training.service, or use an image without that limit.",
            code="preflight_failed",
        )
    return soft


def _check_gpu(torch: str) -> str:
    """Return what nvidia-smi says, if its driver runs `torch` (a version such as 2.13.0+cu126)."""
    said = _nvidia_smi()
    build = re.search(r"\+cu(\d\d)\d", torch)
    if "+cpu" in torch:
        raise TrainingError(
            f"Preflight: the run is configured for a GPU, but the environment has torch {torch}, a CPU build.",
            hint="Set training_launch_device=cpu, or publish a CUDA build: "
            + playbook(None, "publish_runtime", training_runtime_torch="cuda"),
            code="preflight_failed",
        )
    # One line for each GPU: name, driver version, memory.
    driver = said.splitlines()[0].split(",")[1].strip() if said.count(",") >= 2 else ""
    if build is None or not driver[:3].isdigit():
        return said  # not known here: the environment's own torch is asked later
    cuda = int(build[1])
    oldest = OLDEST_DRIVER.get(cuda)
    if oldest is not None and int(driver.split(".")[0]) < oldest:
        raise TrainingError(
            f"Preflight: torch {torch} is built for CUDA {cuda}, which needs driver {oldest} or newer; this image has {driver}.",
            hint="Use a newer driver image (training_launch_image_parameter) or publish a build of torch for an older CUDA.",
            code="preflight_failed",
        )
    return said


def _nvidia_smi() -> str:
    words = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    problem = ""
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        problem = str(error)
    else:
        try:
            said, _ = process.communicate(timeout=NVIDIA_SECONDS)
            problem = "" if process.returncode == 0 else f"exit code {process.returncode}: {said.strip()}"
        except subprocess.TimeoutExpired:
            process.kill()  # and not waited for: one that hangs in the driver cannot be killed
            problem = f"no answer in {NVIDIA_SECONDS:.0f} s"
    if problem or not said.strip():
        raise TrainingError(
            "Preflight: the run is configured for a GPU, but nvidia-smi does not work here: "
            f"{problem or 'it lists no GPU'}.",
            hint="Use a GPU instance type with the driver image, or set training_launch_device=cpu.",
            code="preflight_failed",
        )
    return said.strip()


def check_environment(found: dict[str, Any], device: str, expected_torch: str) -> None:
    """Compare what the environment's Python `found` (see training/ready.py) with what was published and is needed.

    Raises TrainingError when torch differs, or finds no GPU for the device `cuda`.
    """
    if found["torch"] != expected_torch:
        raise TrainingError(
            f"Preflight: torch is {found['torch']}, but {expected_torch} was published.", code="preflight_failed"
        )
    if device == "cuda" and not found["cuda"]:
        raise TrainingError(
            f"Preflight: torch {found['torch']} (CUDA build: {found['cuda_build']}) finds no GPU.",
            hint=_NO_GPU
            if found["cuda_build"]
            else "Publish a CUDA build: " + playbook(None, "publish_runtime", training_runtime_torch="cuda"),
            code="preflight_failed",
        )
