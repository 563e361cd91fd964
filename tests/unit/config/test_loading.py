"""Merging, defaults, and the documentation made from the schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chronos_training.config import TrainingConfig, load_config, repository_config
from chronos_training.config.explain import explain
from chronos_training.config.loader import CONFIGS
from chronos_training.config.messages import all_keys


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_repository_configuration_loads_and_survives_json(path: Path) -> None:
    config = load_config([path])
    assert TrainingConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config


def test_user_file_lies_over_the_repository_key_by_key(tmp_path: Path) -> None:
    base = load_config([repository_config("birthdays_tiny_cpu")])
    user = tmp_path / "mine.json"
    user.write_text('{"training": {"steps": 90}, "forecast": {"quantile_levels": [0.25, 0.5]}}')
    config = load_config([repository_config("birthdays_tiny_cpu"), user])
    assert config.training.steps == 90
    assert config.training.batch_size == base.training.batch_size
    assert config.forecast.quantile_levels == [0.25, 0.5]
    assert config.model == base.model


def test_the_last_of_several_files_wins_and_null_means_empty(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yml"
    first.write_text("training: {cpu_threads: 2}\nname: one\n")
    second.write_text("training: {cpu_threads: null}\nname: two\n")
    config = load_config([first, second])
    assert (config.training.cpu_threads, config.name) == (None, "two")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    config = load_config([tmp_path / "empty.yaml"])
    assert config.model_copy(update={"automatic": {}}) == TrainingConfig()


@pytest.mark.parametrize("text", ["3e-3", "3.0e-3", "0.003", "3E-3"])
def test_a_learning_rate_reads_as_people_write_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(f"training: {{learning_rate: {text}}}")
    assert load_config([tmp_path / "c.yaml"]).training.learning_rate == pytest.approx(0.003)


@pytest.mark.parametrize("text", ["no", "2024-01-31", "1_000", "12:30", "on"])
def test_what_only_yaml_1_1_takes_for_something_else_is_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(f"dataset: {{targets: [{text}]}}\ndescription: {text}")
    config = load_config([tmp_path / "c.yaml"])
    assert (config.dataset.targets, config.description) == ([text], text)


def test_the_limit_defaults_to_twelve_hours() -> None:
    assert TrainingConfig().run.max_runtime_hours == 12


def test_the_model_always_learns_the_levels_that_upstream_needs() -> None:
    config = TrainingConfig.model_validate({"forecast": {"quantile_levels": [0.05, 0.5]}})
    assert config.model_levels == [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_the_table_holds_every_key_with_a_meaning() -> None:
    table = explain()
    for key in all_keys():
        row = next(line for line in table.splitlines() if line.startswith(f"| `{key}` |"))
        assert all(cell.strip() for cell in row.strip("|").split("|")), row


def test_validation_needs_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from chronos_training.config import load_config; load_config([]);"
        "print([m for m in ('torch', 'pandas', 'numpy', 'boto3') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env())
    assert found.stdout.strip() == "[]"


def _env() -> dict[str, str]:
    import os

    import chronos_training

    return {**os.environ, "PYTHONPATH": str(Path(chronos_training.__file__).parents[1])}


def test_the_documentation_is_the_schemas() -> None:
    page = Path(__file__).parents[3] / "docs/configuration.md"
    assert page.read_text(encoding="utf-8") == explain(), "write it anew, see its first lines"


def test_a_run_spec_gives_every_key_and_is_read_back_the_same() -> None:
    """What a family does not use is refused by its value, not by its presence."""
    wanted = {"model": {"family": "autogluon"}, "autogluon": {"models": {"ETS": None}}, "training": {"seed": 3}}
    config = TrainingConfig.model_validate(wanted)
    assert config.autogluon.models == {"ETS": {}}
    assert TrainingConfig.model_validate(config.model_dump(mode="json")) == config
