"""`python -m tests.bench.gpu`: our training and forecasting on a GPU against upstream's ways, in at most eight minutes.

It needs no network and no account: torch with CUDA, and what `make bench-gpu-prepare` put together. `--write`:
docs/bench-gpu.md, on a machine without a GPU as a page that says that nothing was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import cases
from .page import NOT, page

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/bench-gpu.md"
SECONDS = 480.0
Json = dict[str, Any]


def measure(device: str, scale: cases.Scale, seconds: float, rows: cases.Cases = cases.ALL) -> Json:
    """Measure everything that fits into the time; what does not, and what fails, is said in its place."""
    import torch

    from chronos_training.training.train import prepare_process

    prepare_process()
    from . import checks, speed
    from .clock import Budget, TimeIsUp

    begun, budget, small = time.monotonic(), Budget(seconds), scale is cases.SMALL
    results: Json = {"date": str(datetime.now(timezone.utc).date()), "device": _device(device)}
    major = torch.cuda.get_device_capability()[0] if device == "cuda" else 8

    def end(number: int, frame: Any) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, end)

    def one(what: str, least: float, run: Callable[[], Json]) -> Json | str:
        # What a GPU does in a minute takes its time also to begin.
        if budget.left() < (least if device == "cuda" else 0.0):
            return f"{NOT}: time was up"
        since = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(budget.left(), 0.1))
        try:
            found: Json | str = run()
        except TimeIsUp:
            found = f"{NOT}: time was up"
        except Exception as error:  # one part's failure is that part's result
            found = f"{NOT}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(
            f"{seconds - budget.left():5.0f} s  {what}: {_short(found)} ({time.monotonic() - since:.1f} s)", flush=True
        )
        return found

    def each(part: str, rows: list[cases.Case], least: float, run: Callable[[cases.Case], Json]) -> None:
        results.setdefault(part, {})
        for case in rows:
            if case.precision in ("bf16", "tf32") and major < 8:
                results[part][case.name] = f"{NOT}: the GPU has no {case.precision}"
            else:
                results[part][case.name] = one(f"{part}, {case.name}", least, lambda case=case: run(case))

    results["preflight"] = one("preflight", 1.0, lambda: checks.check_preflight(device))
    precisions = tuple(name for name in cases.PRECISIONS if major >= 8 or name in ("fp32", "fp16"))
    peaks = one("peak", 1.0, lambda: speed.peaks_of(device, scale, precisions))
    results["peak_flops"] = peaks
    known = peaks if isinstance(peaks, dict) else {}

    def train(case: cases.Case) -> Json:
        return speed.training(case, scale, device, budget, known)

    # First what the goals are about, at one size; then a bit of everything; then the other sizes, as long as there is time.
    each("training", rows.training[:3], 25.0, train)
    each("forecasting", rows.forecasting[:3], 15.0, lambda case: speed.forecasting(case, scale, device, budget))
    each("resume", rows.resume, 15.0, lambda case: _resume(case, scale, device, budget, small))
    # A process that loads its libraries on a busy machine takes long; on a GPU the time is short.
    patience = 90.0 if device == "cuda" else 300.0
    results["two_processes"] = one(
        "two processes", 60.0, lambda: checks.two_processes(scale, small, device, min(patience, budget.left() - 10))
    )
    each("convergence", rows.convergence, 20.0, lambda case: checks.convergence(case, scale, device))
    each("training", rows.training[3:6], 25.0, train)
    each("compiled", rows.compiled[:1], 60.0, lambda case: checks.compiled(case, scale, device, budget))
    each("training", rows.training[6:], 25.0, train)
    each("forecasting", rows.forecasting[3:], 20.0, lambda case: speed.forecasting(case, scale, device, budget))
    each("compiled", rows.compiled[1:], 60.0, lambda case: checks.compiled(case, scale, device, budget))
    return results | {"seconds": time.monotonic() - begun}


def _resume(case: cases.Case, scale: cases.Scale, device: str, budget: Any, small: bool) -> Json:
    from . import checks

    found = checks.resume(case, scale, device)
    if found["equal"] and found["same_run_twice"]:
        return found
    try:
        budget.need(60.0)
        return found | {"deterministic": checks.resume_deterministic(case, small, device, budget.left() - 10)}
    except Exception as error:
        return found | {"deterministic": f"{NOT}: {' '.join(str(error).split())[:200] or 'time was up'}"}


def _short(found: Json | str) -> str:
    if isinstance(found, str):
        return found
    keys = ("ratio", "equal", "wql", "same_weights", "passed")
    return ", ".join(
        f"{key} {found[key]:.3g}" if isinstance(found[key], float) else f"{key} {found[key]}"
        for key in keys
        if key in found
    )


def _device(device: str) -> Json:
    from importlib.metadata import version

    import torch

    about: Json = {
        "torch": torch.__version__, "transformers": version("transformers"), "chronos": version("chronos-forecasting"),
        "python": platform.python_version(), "name": "CPU", "capability": "none", "memory_gb": 0.0, "driver": "none",
    }  # fmt: skip
    if device == "cuda":
        found = torch.cuda.get_device_properties(0)
        words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            driver = subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.split() or ["unknown"]
        except (OSError, subprocess.TimeoutExpired):
            driver = ["unknown"]
        about |= {
            "name": found.name, "capability": f"{found.major}.{found.minor}", "memory_gb": found.total_memory / 1e9,
            "driver": driver[0],
        }  # fmt: skip
    return about


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="write docs/bench-gpu.md, and docs/bench-gpu.json of a GPU"
    )
    parser.add_argument("--out", type=Path, help="folder for bench-gpu.md and bench-gpu.json")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"at most this long (default: {SECONDS:.0f})")
    parser.add_argument(
        "--small", action="store_true", help="tiny sizes, on a CPU if need be: shows that each part works"
    )
    options = parser.parse_args()
    try:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    except ImportError:
        device = "cpu"
    if device == "cpu" and not options.small:
        print("bench-gpu: there is no torch here that finds a GPU: nothing is measured.", file=sys.stderr)
        results: Json | None = None
    else:
        results = measure(device, cases.SMALL if options.small else cases.FULL, options.seconds)
    if options.out:
        _write(options.out, results)
    if options.write and device == "cpu":
        results = None  # what a CPU showed is no figure of a GPU
    if options.write:
        _write(PAGE.parent, results)
    sys.exit(0 if results or options.write or options.small else 1)


def _write(folder: Path, results: Json | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-gpu.md").write_text(page(results), encoding="utf-8")
    if results is not None:
        (folder / "bench-gpu.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {os.path.relpath(folder / 'bench-gpu.md')}")


if __name__ == "__main__":
    main()
