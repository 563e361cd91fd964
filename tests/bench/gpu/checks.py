"""What has to hold on a GPU: learning in few digits, an exact resume, two processes on one card, preflight; and compilation."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chronos_training.agent import preflight
from chronos_training.core.errors import TrainingError
from chronos_training.data.windows import TrainingWindows
from chronos_training.evaluation.forecasts import chunk_of
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.families import family
from chronos_training.training import loop
from chronos_training.training.stopping import Stopped, StopRequest

from . import ways
from .cases import Case, Scale, config_of, model_of, panel_of, real_panel
from .clock import Budget, ProgressWith, finish

Json = dict[str, Any]
DETERMINISTIC = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "CHRONOS_BENCH_DETERMINISTIC": "1"}


def _learn(config: Any, panel: Any, device: str, folder: Path, stop_at: int = 0) -> tuple[Any, Any]:
    """Train with our loop, perhaps stopped after a step as by SIGTERM; return model and loss curve."""
    stop = StopRequest()

    def tell(step: int) -> None:
        stop.requested = stop.requested or step == stop_at

    model, own = model_of(config, device), family(config.model.family)
    curve = loop.train(
        model, own, TrainingWindows(panel, config), config, device=device, folder=folder, fingerprint="m",
        progress=ProgressWith(tell), stop=stop,
    )  # fmt: skip
    return model, curve


def digest(model: Any) -> str:
    """Return one hash of all weights."""
    found = hashlib.sha256()
    for name, one in sorted(model.state_dict().items()):
        found.update(name.encode() + one.detach().float().cpu().numpy().tobytes())
    return found.hexdigest()


def convergence(case: Case, scale: Scale, device: str) -> Json:
    """Return the loss at the end and WQL on the held-out windows, after the same steps from the same seed on the same data."""
    panel, about = real_panel(scale)
    small = scale.context < 100
    sizes = {"panel": {"d_model": 16 if small else 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}}
    own = Scale(**{**scale.__dict__, "sizes": sizes, "context": 28 if small else 112, "horizon": 7 if small else 28,
                   "patch": 7 if small else 14, "batch": 32, "batch_t5": 32})  # fmt: skip
    steps = scale.convergence_steps
    config = config_of(case, own, steps=steps, learning_rate=3e-3, log_every_steps=max(1, steps // 30))
    with tempfile.TemporaryDirectory() as folder:
        model, curve = _learn(config, panel, device, Path(folder))
    chunk = chunk_of(panel, range(len(panel)), config)
    quantiles = forecast_model(family(case.family), model, panel, chunk, config, lambda: None)
    levels = np.array(config.forecast.quantile_levels)[:, None]
    miss = chunk.actual[:, :, None] - quantiles
    wql = 2 * np.maximum(levels * miss, (levels - 1) * miss).sum() / (len(levels) * np.abs(chunk.actual).sum())
    return {"loss": statistics.fmean(curve.losses[-5:]), "wql": float(wql), "steps": steps, "data": about}


def resume(case: Case, scale: Scale, device: str) -> Json:
    """Return whether a training that is stopped half-way and gone on with ends with the same bits as one in one go."""
    if os.environ.get("CHRONOS_BENCH_DETERMINISTIC"):
        torch.use_deterministic_algorithms(True)
    steps = scale.resume_steps
    config = config_of(case, scale, steps=steps, log_every_steps=1)
    config = config.model_copy(update={"model": config.model.model_copy(update={"dropout_rate": 0.1})})
    panel = panel_of(scale)
    with tempfile.TemporaryDirectory() as folder:
        whole, curve = _learn(config, panel, device, Path(folder) / "whole")
        again, _ = _learn(config, panel, device, Path(folder) / "again")
        try:
            _learn(config, panel, device, Path(folder) / "cut", stop_at=steps // 2)
        except Stopped:
            pass
        resumed, rest = _learn(config, panel, device, Path(folder) / "cut")
    return {
        "same_run_twice": digest(whole) == digest(again),
        "resumed_from": rest.resumed_from,
        "equal": digest(whole) == digest(resumed) and curve.losses == rest.losses,
        "sha256": digest(whole),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
    }


def resume_deterministic(case: Case, small: bool, device: str, seconds: float) -> Json:
    """The same in a process of its own with torch's deterministic algorithms."""
    return _worker(["resume", case.family, device, str(int(small))], DETERMINISTIC, seconds)


def two_processes(scale: Scale, small: bool, device: str, seconds: float) -> Json:
    """Return the losses of two processes that share the card, and of one that takes the whole batch.

    Each process is told to be an instance of its own with one GPU; they talk over gloo, as NCCL takes one process a GPU.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    begun = time.monotonic()
    workers = [
        _start(
            ["rank", str(rank), device, str(int(small))], {**shared, "RANK": str(rank), "CHRONOS_LEADS": str(1 - rank)}
        )
        for rank in range(2)
    ]
    try:
        said = [_answer(one, seconds) for one in workers]
    finally:
        for one in workers:
            one.kill()
    took = time.monotonic() - begun
    config = _two(scale, instances=1)
    with tempfile.TemporaryDirectory() as folder:
        _, curve = _learn(config, panel_of(scale), device, Path(folder))
    off = max(abs(a - b) / abs(b) for a, b in zip(said[0]["losses"], curve.losses, strict=True))
    return {
        "processes": said, "one_process": curve.losses, "same_weights": said[0]["sha256"] == said[1]["sha256"],
        "largest_difference": off, "seconds": took,
    }  # fmt: skip


def _two(scale: Scale, instances: int) -> Any:
    config = config_of(Case("chronos2", "tiny", "fp32"), scale, steps=scale.resume_steps, log_every_steps=1)
    return config.model_copy(update={"run": config.run.model_copy(update={"instances": instances})})


def rank_main(device: str, scale: Scale) -> Json:
    """Be one of two processes."""
    import torch.distributed as dist

    loop.connection = lambda config, device: "gloo"
    with tempfile.TemporaryDirectory() as folder:
        model, curve = _learn(_two(scale, instances=2), panel_of(scale), device, Path(folder))
        found = {"losses": curve.losses, "sha256": digest(model)}
        dist.destroy_process_group()
    return found


def _start(words: list[str], variables: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.gpu.worker", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **variables}
    )


def _answer(process: subprocess.Popen[str], seconds: float) -> Json:
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise RuntimeError(f"no answer in {seconds:.0f} s") from None
    lines = said.strip().splitlines()
    if process.returncode:
        raise RuntimeError(f"a process ended with {process.returncode}: {' | '.join(lines[-3:])}")
    answer: Json = json.loads(lines[-1])
    return answer


def _worker(words: list[str], variables: dict[str, str], seconds: float) -> Json:
    return _answer(_start(words, variables), seconds)


def check_preflight(device: str) -> Json:
    """Return what the instance's own checks find here; the refusal's sentence, where there is one."""
    cuda = torch.cuda.is_available()
    found = {"torch": torch.__version__, "cuda_build": torch.version.cuda, "cuda": cuda}
    with tempfile.TemporaryDirectory() as folder:
        try:
            machine = preflight.check_machine(device, torch.__version__, 0, Path(folder), 3600.0)
            preflight.check_environment(found, device, torch.__version__)
        except TrainingError as error:
            return {"passed": False, "said": str(error)}
    return {"passed": True, "gpu": machine.get("gpu"), **found}


def compiled(case: Case, scale: Scale, device: str, budget: Budget) -> Json:
    """Return steps per second on a batch that lies ready, as it is and compiled, and how long compiling took."""
    config = config_of(case, scale)
    own, model = family(case.family), model_of(config, device).train()
    batch = ways.batch_on(config, scale, panel_of(scale), device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(case.precision, torch.float32)

    def step(forward: Any) -> None:
        with torch.autocast(device, kind, enabled=kind is not torch.float32):
            loss = forward(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    found: Json = {}
    with own.while_training(model, config):
        # Where nothing is generated for a GPU, tracing alone is tried.
        ready = torch.compile(model, backend="inductor" if device == "cuda" else "eager")
        begun = time.monotonic()
        step(ready)
        finish(device)
        found["seconds_to_compile"] = time.monotonic() - begun
        for name, forward in (("as it is", model), ("compiled", ready), ("as it is", model), ("compiled", ready)):
            budget.need(5.0 if device == "cuda" else 0.0)
            rate = _rate(lambda forward=forward: step(forward), 3, device)
            rate = _rate(lambda forward=forward: step(forward), max(3, int(scale.round_seconds * rate)), device)
            found.setdefault(name, []).append(rate * config.training.batch_size)
    torch._dynamo.reset()
    return found | {"ratio": statistics.median(found["compiled"]) / statistics.median(found["as it is"])}


def _rate(step: Callable[[], None], many: int, device: str) -> float:
    """Return steps per second over that many steps."""
    finish(device)
    begun = time.monotonic()
    for _ in range(many):
        step()
    finish(device)
    return many / (time.monotonic() - begun)
