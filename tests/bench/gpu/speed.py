"""Training and forecasting: ours and upstream's take turns, on one machine, in one run."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from chronos_training.families import family

from . import ways
from .cases import Case, Scale, config_of, model_of, panel_of
from .clock import Budget, Steps, finish, memory

Json = dict[str, Any]
WARM = 4  # steps before the time is taken
KINDS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SYNCHRONIZING = "called a synchronizing CUDA operation"


def training(case: Case, scale: Scale, device: str, budget: Budget, peaks: dict[str, float]) -> Json:
    """Return windows per second, memory and questions to the GPU, ours and upstream's, and the share of the card's peak."""
    panel, first = panel_of(scale), config_of(case, scale, steps=WARM + 6)
    model = model_of(first, device)
    learn: dict[str, Callable[..., None]] = {"ours": ways.train_ours, "upstream": ways.train_upstream}
    rates: dict[str, list[float]] = {}
    most: Json = {}
    waits: Json = {}
    for who, how in learn.items():  # also warms up
        memory(device)
        steps = Steps(WARM, first.training.steps, device)
        waits[who] = _waits(lambda how=how, steps=steps: how(model, panel, first, case, steps, device), device, first)
        rates[who], most[who] = [steps.per_second()], memory(device)
    for _ in range(scale.rounds if scale.round_seconds else 0):
        for who, how in learn.items():
            budget.need(3 * scale.round_seconds)
            wanted = WARM + max(6, int(scale.round_seconds * rates[who][0]))
            steps = Steps(WARM, wanted, device)
            how(model, panel, config_of(case, scale, steps=wanted), case, steps, device)
            rates[who].append(steps.per_second())
    size = first.training.batch_size
    found: Json = {who: [rate * size for rate in (some[1:] or some)] for who, some in rates.items()}
    flops = flops_of(case, scale)
    ours = statistics.median(found["ours"])
    return {
        "windows_per_second": found,
        "ratio": ours / statistics.median(found["upstream"]),
        "flops_per_window": flops,
        "share_of_peak": ours * flops / peaks[case.precision] if case.precision in peaks else None,
        "memory_gb": most,
        "waits_per_step": waits,
    }


def _waits(run: Callable[[], None], device: str, config: Any) -> float | None:
    """Run, and return how often in a step the CPU waited for the GPU, as torch tells. None on a CPU."""
    if device != "cuda":
        run()
        return None
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said, contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum(SYNCHRONIZING in str(one.message) for one in said) / int(config.training.steps)


def flops_of(case: Case, scale: Scale) -> float:
    """Return the operations of forward and backward for one window, of upstream's model, as torch counts them.

    On the device `meta`: nothing is computed. With one series at a time, so that attention between strangers counts nowhere.
    """
    config = config_of(Case(case.family, case.size), scale)
    own = family(case.family)
    with torch.device("meta"):
        model = own.build(config).train()
    from chronos_training.data.windows import TrainingWindows

    batch = own.collate(config, [TrainingWindows(panel_of(scale, 2), config)[0]])
    batch = {key: one.to("meta") if torch.is_tensor(one) else one for key, one in batch.items()}
    # Bolt's upstream forward cannot run without numbers; its own has the same products.
    context = own.while_training(model, config) if case.family == "chronos_bolt" else contextlib.nullcontext()
    with context, FlopCounterMode(display=False) as counter:
        model(**batch).loss.backward()
    return float(counter.get_total_flops())


def peaks_of(device: str, scale: Scale, precisions: tuple[str, ...]) -> dict[str, float]:
    """Return operations per second of one large matrix product in each precision: what this card can do at most."""
    found = {}
    for name in precisions:
        with ways.products(name):
            left = torch.randn(scale.matrix, scale.matrix, device=device, dtype=KINDS[name])
            right = torch.randn_like(left)
            times = []
            for _ in range(5):
                finish(device)
                begun = time.monotonic()
                left @ right
                finish(device)
                times.append(time.monotonic() - begun)
        found[name] = 2.0 * scale.matrix**3 / statistics.median(times[2:])
    memory(device)
    return found


def forecasting(case: Case, scale: Scale, device: str, budget: Budget) -> Json:
    """Return series per second, ours and upstream's, and how far the forecasts lie apart."""
    config = config_of(case, scale)
    panel = panel_of(scale, scale.series_t5 if case.family == "chronos_t5" else scale.series)
    model = model_of(config, device)
    forecast = {"ours": ways.forecast_ours, "upstream": ways.forecast_upstream}
    found: dict[str, list[float]] = {who: [] for who in forecast}
    last: Json = {}
    warm = panel.only(panel.offsets[: config.evaluation.batch_size] // panel.lengths[0])
    with ways.products("fp32"):
        for how in forecast.values():
            how(model, warm, config)
        memory(device)
        most: Json = {}
        for _ in range(scale.rounds):
            for who, how in forecast.items():
                budget.need(10.0 if device == "cuda" else 0.0)
                finish(device)
                begun = time.monotonic()
                last[who] = how(model, panel, config)
                found[who].append(len(panel) / (time.monotonic() - begun))
                most[who] = memory(device)
    # Ours are sorted, where quantiles cross.
    off, spread = abs(last["ours"] - np.sort(last["upstream"], axis=1)), abs(last["upstream"]).mean()
    return {
        "series_per_second": found,
        "ratio": statistics.median(found["ours"]) / statistics.median(found["upstream"]),
        # Sample paths are drawn anew; quantiles are the same up to rounding.
        "difference": None if case.family == "chronos_t5" else float(off.max() / spread),
        "memory_gb": most,
    }
