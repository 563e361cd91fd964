"""What a person gives is compared with what the roles document: names, values, and the text of the help."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chronos_training.control.options import inputs

ROOT = Path(__file__).parents[4]
ROLES = inputs.read_roles(ROOT / "roles")
INVENTORY = {"training_env": "dev", "training_cost_center": "x", "training_tags": {"C": "{{ training_cost_center }}"}}
KNOWN = inputs.known_names(ROLES.values(), INVENTORY)


def test_a_misspelt_name_is_refused_with_the_nearest():
    (said,) = inputs.unknown_names({"training_launch_confg": 1}, KNOWN, "given with -e")
    assert said == (
        "training_launch_confg (given with -e) is not a variable of this project. Did you mean training_launch_config?"
    )
    (said,) = inputs.unknown_names({"trainin_runs_limit": 1}, KNOWN, "given with -e")
    assert said.endswith("Did you mean training_runs_limit?")


def test_a_name_like_no_other_is_refused_and_a_foreign_one_is_let_through():
    said = inputs.unknown_names(
        {"training_zzzzzzzz": 1, "foo": 1, "ansible_python_interpreter": 1}, KNOWN, "given with -e"
    )
    assert said == ["training_zzzzzzzz (given with -e) is not a variable of this project."]


@pytest.mark.parametrize("env", ["local", "dev", "stage", "prod"])
def test_what_the_inventories_set_is_read_by_somebody(env):
    files = sorted((ROOT / "inventories" / env / "group_vars/all").glob("*.yml"))
    inventory = {name: value for file in files for name, value in yaml.safe_load(file.read_text()).items()}
    assert len(inventory) > 5
    known = inputs.known_names(ROLES.values(), inventory)
    assert inputs.unknown_names(inventory, known, "in the inventory") == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("cuda", []),
        ("{{ mine }}", []),
        ("cudaa", ["training_launch_device is one of cpu, cuda; 'cudaa' is not. Did you mean cuda?"]),
        ("gpu", ["training_launch_device is one of cpu, cuda; 'gpu' is not."]),
    ],
)
def test_a_value_that_is_no_choice(value, said):
    assert inputs.wrong_choices({"training_launch_device": value}, ROLES.values()) == said


def test_what_has_to_be_given():
    role = [ROLES["training_model"]]
    (said,) = inputs.missing(role, {"training_model_name": "births"})
    assert said == "training_model_source is required: The folder of a model, or hub:owner/name."
    assert inputs.missing(role, {"training_model_name": "births", "training_model_source": "x"}) == []


def test_the_help_has_every_option_that_a_person_gives_and_the_inventorys_value():
    lines = inputs.explain([ROLES["training_launch"]], {"training_env": "dev", "training_launch_device": "cpu"})
    text = "\n".join(lines)
    assert all(f"  {name}  " in text for name in ROLES["training_launch"].given())
    assert "  training_launch_device  cpu | cuda, default cuda" in lines
    at = lines.index("  training_launch_device  cpu | cuda, default cuda")
    assert lines[at + 2] == "      In this inventory: cpu"
    assert "training_launch_env" not in text and lines[-1] == "  training_env  dev"
    assert "C(" not in text


def test_a_default_that_the_specs_do_not_repeat_is_that_of_the_defaults():
    option = ROLES["training_results"].options["training_results_folder"]
    assert "results" in inputs.kind(option) and "{{" not in inputs.kind(option)
