"""The first role of every playbook, as a person meets it: help, misspellings, and nothing done in either case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_provision import play

PLAYBOOKS = sorted((Path(__file__).parents[2] / "playbooks").glob("*.yml"))


def buckets(aws: Any) -> int:
    """Return how many buckets there are: the first thing that provisioning makes."""
    return len(aws.client("s3").list_buckets()["Buckets"])


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_it(path: Path) -> None:
    (only,) = yaml.safe_load(path.read_text())
    assert only["roles"][0] == {"role": "training_inputs"} and "pre_tasks" not in only


def test_help_shows_the_options_and_does_nothing(aws: Any) -> None:
    code, output = play(aws, "provision_infrastructure", "playbooks/publish_model.yml", "-e", "help=true")
    assert code == 0, output
    for name in ("training_storage_logs_expire_days  int, default 14", "training_model_name  str, required"):
        assert name in output
    assert "In this inventory: 10.40.0.0/16" in output and "{{" not in output
    assert buckets(aws) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("training_netwrk_cidr=10.0.0.0/16", "Did you mean training_network_cidr?"),
        ("training_context_env=devel", "training_context_env is one of local, dev, stage, prod; 'devel' is not."),
        ("training_storage_logs_expire_days=soon", "cannot be converted to an int"),
        ("training_bucket=Team_Forecasts", 'training_bucket is "Team_Forecasts": S3 requires 3 to 63 lower-case'),
        ("training_cost_center='R&D; Ops <x>'", 'training_cost_center is "R&D; Ops <x>": a tag\'s value must have'),
    ],
)
def test_a_mistake_is_refused_before_anything_is_made(aws: Any, given: str, said: str) -> None:
    code, output = play(aws, "provision_infrastructure", "-e", given)
    assert code != 0 and said in output and "Traceback" not in output, output
    assert "Nothing was done. What can be set: make provision ARGS='-e help=true'" in output
    assert buckets(aws) == 0


def test_a_mistake_in_the_inventory_is_named_too(aws: Any, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "inventories/local"
    for file in source.rglob("*.yml"):
        target = tmp_path / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text())
    with (tmp_path / "group_vars/all/run.yml").open("a") as file:
        file.write("training_monitor_intervall: 5\ntraining_storage_logs_expire_days: 0100\n")
    code, output = play(aws, "provision_infrastructure", "-i", str(tmp_path))
    assert code != 0 and buckets(aws) == 0, output
    assert "training_storage_logs_expire_days is 0100, which YAML reads as 64" in output
    assert code != 0, output
    assert "training_monitor_intervall (in the inventory) is not a variable of this project." in output
    assert "Did you mean training_monitor_interval?" in output


def test_what_has_to_be_given_is_said_with_its_meaning(aws: Any) -> None:
    code, output = play(aws, "publish_model", "-e", "training_model_name=births")
    assert code != 0 and "training_model_source is required: The folder of a model" in output, output


def test_a_variable_of_another_playbooks_role_is_let_through(aws: Any) -> None:
    code, output = play(aws, "list_runs", "-e", "training_monitor_interval=1")
    # It goes on to AWS, where there is nothing yet.
    assert code != 0 and "Environment local is not provisioned" in output, output
