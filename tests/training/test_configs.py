"""Every configuration of the repository is tried: loaded, made small, and run to its report on data of its shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chronos_training.config import TrainingConfig, load_config, repository_config
from chronos_training.config.loader import CONFIGS
from chronos_training.data.prepare import prepare
from tests.training.conftest import FAMILIES, start, tiny, write_spec

# Those of AutoGluon are tried in its own environment: test_autogluon_configs.
ALL = {path.stem: load_config([path]) for path in sorted(CONFIGS.glob("*.yaml"))}
NAMES = [name for name, config in ALL.items() if config.model.family != "autogluon"]
FREQ = {12: "MS", 4: "QS"}
SMALL = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "patch_size": 4, "context_length": 16}


def small(config: TrainingConfig) -> TrainingConfig:
    """The same configuration with a tiny model, a short history and three steps."""
    wanted = config.model_dump(mode="json") | {"automatic": {}}  # the sizes are given here
    wanted["model"] |= SMALL | {"min_context": 8, "levels": None}
    # What is on several instances learns here in as many processes; tests/training/test_hosts.py has the hosts.
    wanted["run"] |= {"instances": 1, "processes": config.run.ranks}
    parts = config.run.ranks * config.training.gradient_accumulation_steps
    wanted["training"] |= {"steps": 3, "warmup_steps": 1, "batch_size": 4 * parts, "checkpoint_every_steps": 2}
    wanted["training"] |= {"synthetic_series": 4, "cpu_threads": 1}
    wanted["forecast"] |= {"prediction_length": 4}
    wanted["evaluation"] |= {"windows": 2, "stride": None, "baselines": ["zero_shot"]}
    return TrainingConfig.model_validate(wanted)


def dataset(folder: Path, config: TrainingConfig) -> Path:
    """Three short series with the columns that a configuration wants."""
    random, columns = np.random.default_rng(0), config.dataset
    names = [*columns.targets, *columns.past_covariates, *columns.known_covariates]
    frames = [
        pd.DataFrame(
            {
                "item_id": f"s{i}",
                "timestamp": pd.date_range(
                    "2020-01-01", periods=60, freq=FREQ.get(config.forecast.season_length or 0, "D")
                ),
                **{name: 20 + random.normal(size=60) for name in names},
            }
        )
        for i in range(3)
    ]
    folder.mkdir()
    pd.concat(frames).to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), columns.name, folder / "dataset", targets=tuple(columns.targets))
    return folder / "dataset"


def base_of(folder: Path, config: TrainingConfig, data: Path) -> Path:
    """Train something tiny of the family, to start from."""
    wanted = config.model_dump(mode="json")
    wanted["model"] |= {"initialization": "random", "base": None}
    wanted["training"] |= {"method": "full"}
    wanted["evaluation"] |= {"publish_if": "always"}
    spec = write_spec(folder / "base.json", TrainingConfig.model_validate(wanted))
    done = start(spec, data, folder / "base")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "base/models" / config.name


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_runs_to_its_report(tmp_path: Path, name: str) -> None:
    config = small(load_config([repository_config(name)]))
    data = dataset(tmp_path / "data", config)
    base = base_of(tmp_path, config, data) if config.model.initialization == "pretrained" else None
    spec = write_spec(tmp_path / "spec.json", config, base_model={"name": "base", "family": "x", "digest": "0" * 64})
    done = start(spec, data, tmp_path / "out", *(["--base-model", str(base)] if base else []))
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads((tmp_path / "out/model_metadata.json").read_text())
    assert about["model"]["last_step"] == 3 and (tmp_path / "out/report.html").exists()
    assert (about["validation"]["verdicts"].get("zero_shot") is not None) == (base is not None)


def test_every_family_and_way_to_learn_has_a_configuration() -> None:
    configs = [load_config([repository_config(name)]) for name in NAMES]
    assert {config.model.family for config in configs} >= set(FAMILIES) - {"chronos_t5"}
    assert any(config.training.method == "lora" for config in configs)
    assert any(config.dataset.known_covariates for config in configs)
    assert any(config.training.synthetic_share and config.training.mixup_share for config in configs)
    assert any(config.run.processes > 1 for config in configs)
    assert any(config.run.instances > 1 for config in configs)


def forecasts_of(tmp_path: Path, name: str, config: TrainingConfig, panel: pd.DataFrame) -> Any:
    folder = tmp_path / name
    folder.mkdir()
    panel.to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "weekly", folder / "dataset")
    done = start(write_spec(folder / "s.json", config), folder / "dataset", folder / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return pd.read_parquet(folder / "out/evaluation/forecasts.parquet")


def test_nothing_of_the_future_is_seen(tmp_path: Path) -> None:
    """The leak detector: whatever lies after an origin is scrambled, and no forecast at that origin changes.

    But for the known covariate, which is told ahead: scrambling that changes the forecast.
    """
    covariates = {"past_covariates": ["past"], "known_covariates": ["known"]}
    config = tiny(
        dataset=covariates, evaluation={"windows": 1, "rivals_seconds": 1}, training={"validation_windows": 1}
    )
    random = np.random.default_rng(1)
    frames = []
    for i in range(3):
        values = {name: 20 + random.normal(size=120) for name in ("target", "past", "known")}
        stamps = pd.date_range("2020-01-01", periods=120, freq="D")
        frames.append(pd.DataFrame({"item_id": f"s{i}", "timestamp": stamps, **values}))
    panel = pd.concat(frames, ignore_index=True)
    future = panel.groupby("item_id").cumcount() >= 120 - 7
    found = {"real": forecasts_of(tmp_path, "real", config, panel)}
    for name in ("target", "past", "known"):
        scrambled = panel.copy()
        scrambled.loc[future, name] = random.normal(size=int(future.sum())) * 1e3
        found[name] = forecasts_of(tmp_path, name, config, scrambled)
    columns = ["q0.1", "q0.5", "q0.9"]
    for name in ("target", "past"):
        pd.testing.assert_frame_equal(found[name][columns], found["real"][columns])
    assert not np.allclose(found["known"][columns], found["real"][columns])
