"""The repository's configurations for AutoGluon: each is loaded, made small, and run to its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chronos_training.config import TrainingConfig, load_config, repository_config
from chronos_training.families import family
from tests.training.conftest import start_fresh, tiny, write_spec
from tests.training.test_configs import ALL, dataset

NAMES = [name for name, config in ALL.items() if config.model.family == "autogluon"]


def small(config: TrainingConfig) -> TrainingConfig:
    """The same configuration with two quick models, two steps of fine-tuning and a short horizon."""
    wanted = config.model_dump(mode="json")
    wanted["autogluon"] |= {
        "models": ["SeasonalNaive", "DirectTabular"],
        "fine_tune_steps": 2,
        "time_limit_minutes": 2.0,
    }
    wanted["forecast"] |= {"prediction_length": 4}
    wanted["evaluation"] |= {"windows": 2, "stride": None, "baselines": ["zero_shot"]}
    return TrainingConfig.model_validate(wanted)


# The largest takes as long as all others together, and fits the models that test_autogluon fits.
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long) if "best" in n else n for n in NAMES])
def test_a_configuration_runs_to_its_report(tmp_path: Path, name: str) -> None:
    config = small(load_config([repository_config(name)]))
    more, pretrained = [], config.model.initialization == "pretrained"
    if pretrained:
        chronos2 = family("chronos2")
        chronos2.save(chronos2.build(tiny()), tmp_path / "base")
        more = ["--base-model", str(tmp_path / "base")]
    given = {"name": "chronos-2", "family": "chronos2", "digest": "0" * 64} if pretrained else None
    spec = write_spec(tmp_path / "spec.json", config, base_model=given)
    done = start_fresh(spec, dataset(tmp_path / "data", config), tmp_path / "out", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads((tmp_path / "out/model_metadata.json").read_text())
    assert (tmp_path / "out/report.html").exists() and about["model"]["autogluon"]["leaderboard"]
    assert ("zero_shot" in about["validation"]["verdicts"]) == pretrained


def test_there_is_one_with_chronos_and_best_quality() -> None:
    best = ALL["autogluon_best_g4dn"]
    assert best.autogluon.presets == "best_quality" and best.model.base == "chronos-2"
