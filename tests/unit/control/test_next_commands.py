"""The commands after a launch can be typed as they stand, in the folder and for the inventory of the launch."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronos_training.control.commands import next_commands


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("local", "dev"):
        (tmp_path / "inventories" / name).mkdir(parents=True)
    (tmp_path / "Makefile").touch()
    return tmp_path


def typed(lines: list[str]) -> list[str]:
    return [line.split("  ")[0] for line in lines]


def test_inventories_of_the_project_have_short_forms(project: Path) -> None:
    local, dev = (str(project / "inventories" / name) for name in ("local", "dev"))
    assert typed(next_commands("local", [local], project)) == ["make monitor", "make kill", "make verify"]
    assert typed(next_commands("dev", [dev], project)) == [
        "make monitor ENV=dev", "make kill ENV=dev", "make verify ENV=dev",
    ]  # fmt: skip


def test_the_inventory_counts_not_the_name_of_its_environment(project: Path) -> None:
    assert typed(next_commands("staging", [str(project / "inventories/dev")], project))[0] == "make monitor ENV=dev"


def test_an_inventory_elsewhere_is_named_as_it_was(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("my inventories") / "mine"
    elsewhere.mkdir()
    lines = typed(next_commands("dev", [str(elsewhere)], project))
    assert lines[0] == f"ansible-playbook -i '{elsewhere}' playbooks/monitor_training.yml"
    two = typed(next_commands("dev", [str(project / "inventories/dev"), str(elsewhere)], project))
    assert two[1] == f"ansible-playbook -i inventories/dev -i '{elsewhere}' playbooks/kill_training.yml"
