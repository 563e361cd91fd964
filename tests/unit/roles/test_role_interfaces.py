"""Every role says what it takes: documented inputs, named after the role, and a README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[3] / "roles").iterdir() if (path / "tasks").is_dir())


def load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_name_the_same_inputs(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    options = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) == set(options) - required
    assert all(name.startswith(f"{role.name}_") for name in options)
    assert all(option.get("description") for option in options.values())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_readme_and_meta_exist(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
    assert load(role / "meta/main.yml")["galaxy_info"]["description"]
