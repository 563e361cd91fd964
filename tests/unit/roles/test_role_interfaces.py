"""Every role says what it takes: documented inputs, named after the role or its entry point, and a README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from reference import playbook_roles

from chronos_training.control.options.inputs import entry_name, read_role, read_roles

ROOT = Path(__file__).parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
SEVERAL = [role for role in ROLES if not (role / "tasks/main.yml").exists()]


def load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_name_the_same_inputs(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    entries = load(role / "meta/argument_specs.yml")["argument_specs"]
    options = {name: option for entry in entries.values() for name, option in entry["options"].items()}
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) == set(options) - required
    assert all(option.get("description") for option in options.values())
    for entry, spec in entries.items():
        assert all(name.startswith(f"{entry_name(role.name, entry)}_") for name in spec["options"]), entry


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_readme_and_meta_exist(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
    assert load(role / "meta/main.yml")["galaxy_info"]["description"]


@pytest.mark.parametrize("role", SEVERAL, ids=lambda role: role.name)
def test_each_entry_point_has_its_tasks_and_its_section_of_the_readme(role: Path) -> None:
    """Of a file that no entry point documents, nothing would be checked; `…_inputs` does nothing."""
    entries = [entry.entry for entry in read_role(role)]
    files = {path.stem for path in (role / "tasks").glob("*.yml") if not path.stem.endswith("_inputs")}
    assert len(entries) > 1 and files == set(entries)
    assert re.findall(r"^## (\w+)$", (role / "README.md").read_text(), re.MULTILINE) == entries


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_a_playbook_runs_entry_points_that_there_are(playbook: Path) -> None:
    """A role without tasks/main.yml that is imported without `tasks_from` would do nothing, and say nothing."""
    every = read_roles(ROOT / "roles")
    names = playbook_roles(playbook)
    assert names[0] == "training_inputs" and len(names) > 1
    assert set(names) <= set(every)
