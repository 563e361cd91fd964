"""One run of the playbooks with 100 MB of data, from its user data to the first training step, by phase."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from local_aws.testing import EmbeddedAws
from tests.e2e.operator import Operator, eventually

from .table import Row, Section, Target

SERIES, HOURS = 200, 60_000
ABOUT = """From the moment at which cloud-init begins with the user data, to the first optimizer step: the times that the run
itself has recorded, in whole seconds. An instance of level {level}, the runtime that this machine has published, and {size:.0f} MB
of data ({files} files)."""


def measure(folder: Path) -> Section:
    """Provision, publish, launch, and read what the run has stored."""
    source = folder / "panel.parquet"
    _make_panel(source)
    operator = Operator(EmbeddedAws(folder / "aws", "best"))
    try:
        _say(f"boot, at level {operator.aws.server.level}: provision and publish")
        operator.play("provision_infrastructure").succeeded()
        dataset = {"training_dataset_name": "bench", "training_dataset_source": str(source)}
        operator.play("publish_runtime", "publish_dataset", **dataset).succeeded()
        config = folder / "bench.yaml"
        training = {"steps": 2, "warmup_steps": 1, "log_every_steps": 1, "batch_size": 8}
        sizes = {"context_length": 48, "patch_size": 24}
        task = {"prediction_length": 24}
        whole = {"dataset": {"name": "bench"}, "forecast": task, "model": sizes, "training": training}
        config.write_text(yaml.safe_dump({**whole, "evaluation": {"windows": 1}}))
        _say("boot: launch, and wait for the first step")
        operator.play("launch_training", training_launch_config_file=str(config)).succeeded()
        run_id = (operator.state() or {})["run_id"]
        eventually(lambda: operator.state() is None, "the end of the run", 600)
        return _section(operator, run_id)
    finally:
        operator.aws.stop()


def _section(operator: Operator, run_id: str) -> Section:
    state, spec = operator.artifact(run_id, "system-state.json"), operator.artifact(run_id, "run_spec.json")
    if state["status"] != "completed":
        raise SystemExit(f"bench: the run is {state['status']}: {state['error_message']}")
    begun = _cloud_init_begun(operator.log(run_id, "console"), state["created_at"])
    claimed = _time(state["claimed_at"])
    steps = {name: _time(times["started_at"]) for name, times in state["steps"].items()}
    first = _first_step(operator.log(run_id, "training"), steps["training"])
    data = spec["dataset"]
    about = ABOUT.format(level=operator.aws.server.level, size=data["bytes"] / 1e6, files=data["files"])
    section = Section("Boot", about)
    marks = [
        ("user data to the claim: guards, agent fetched, identity", begun, claimed),
        ("initialization: preflight, environment, its first import", claimed, steps["data_sync"]),
        ("data_sync: every sha256 checked", steps["data_sync"], steps["training"]),
        ("training: data read, model made, first step", steps["training"], first),
    ]
    section.rows = [Row(name, [(end - start).total_seconds()]) for name, start, end in marks]
    section.targets = [Target("user data to the first step", (first - begun).total_seconds(), 15, unit="s")]
    return section


def _cloud_init_begun(console: str, created_at: str) -> datetime:
    """When its last stage, which runs the user data's commands, began; at level process nobody says so."""
    found = re.search(r"running 'modules:final' at \w+, (\d+ \w+ \d+ [\d:]+)", console)
    if found is None:
        return _time(created_at)
    return datetime.strptime(found[1], "%d %b %Y %H:%M:%S").replace(tzinfo=timezone.utc)


def _first_step(log: str, after: datetime) -> datetime:
    found = re.search(r"^(\d\d):(\d\d):(\d\d)  step \d+/", log, re.MULTILINE)
    if found is None:
        raise SystemExit("bench: training.log has no step")
    hour, minute, second = map(int, found.groups())
    return after.replace(hour=hour, minute=minute, second=second)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _make_panel(path: Path) -> None:
    """Noise, so that nothing of it can be compressed: 8 bytes for each of 12 million observations."""
    generator = np.random.default_rng(0)
    hours = pd.date_range("2018-01-01", periods=HOURS, freq="h")
    frame = pd.DataFrame(
        {
            "item_id": np.repeat([f"s{number:03}" for number in range(SERIES)], HOURS),
            "timestamp": np.tile(hours, SERIES),
            "target": 100 + generator.normal(size=SERIES * HOURS),
        }
    )
    frame.to_parquet(path)


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
