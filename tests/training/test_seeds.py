"""A run with several seeds: the first one's model is stored, the spread is told, and each seed goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

from chronos_training.training.checkpoints import steps_in
from chronos_training.training.seeds import FOLDER
from tests.training.conftest import start, tiny, write_spec


def test_the_model_is_the_first_seeds_and_the_spread_is_told(data: Path, tmp_path: Path) -> None:
    found, output = [], tmp_path / "out"
    # How is evaluated may change between a run and its resume: the first seed has nothing left to do.
    for seeds in (1, 2):
        config = tiny(evaluation={"seeds": seeds, "baselines": []})
        run = start(write_spec(tmp_path / f"{seeds}.json", config), data, output)
        assert run.returncode == 0, run.stdout + run.stderr
        found.append(json.loads((output / "model_metadata.json").read_text(encoding="utf-8")))
    one, two = found
    assert one["metrics"] == two["metrics"]  # of the model that is stored
    assert "seeds" not in one["validation"]["verdict"]
    seeds_of = two["validation"]["verdict"]["seeds"]
    assert len(seeds_of) == 2
    assert seeds_of[0]["relative_wql"] == one["metrics"]["relative_wql"] != seeds_of[1]["relative_wql"]
    assert "Over 2 seeds" in (output / "report.html").read_text(encoding="utf-8")
    assert steps_in(output / FOLDER / "seed-1") == steps_in(output / "checkpoints") != []
