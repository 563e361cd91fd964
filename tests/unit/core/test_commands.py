"""The commands that messages name can be typed as they stand, and act on the environment that they are about."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars

from chronos_training.core import commands

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("inventories/local", "inventories/dev", "playbooks"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "Makefile").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "_inventories", ())
    return tmp_path


def test_every_playbook_has_a_short_form_and_the_makefile_knows_it() -> None:
    assert set(commands.TARGETS) == {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    makefile = (ROOT / "Makefile").read_text()
    for name, short in commands.TARGETS.items():
        target, _, choice = short.partition(" ")
        if choice:  # a second playbook of the same target
            assert re.search(
                rf"^{target}: setup.*{choice} .*\n\t@\$\(PLAY\) .*playbooks/{name}\.yml", makefile, re.M
            ), name
            continue
        assert re.search(
            rf"^{target}: setup.*\n\t@\$\(PLAY\) playbooks/{name}\.yml .*\$\(ARGS\)(?: \$\(QUIETLY\))?$", makefile, re.M
        ), name


def test_a_command_names_its_environment(project: Path) -> None:
    assert commands.playbook("local", "kill_training") == "make kill"
    assert commands.playbook("dev", "kill_training") == "make kill ENV=dev"
    assert commands.fix("dev") == "make verify ENV=dev ARGS='-e training_cleanup_check_fix=true'"


def test_the_inventory_counts_not_the_name_of_its_environment(project: Path) -> None:
    commands.typed_with([str(project / "inventories/dev")])
    assert commands.playbook("staging", "monitor_training") == "make monitor ENV=dev"


def test_an_inventory_elsewhere_is_named_as_it_was(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("my inventories") / "mine"
    elsewhere.mkdir()
    commands.typed_with([str(elsewhere)])
    named = f"-i '{elsewhere}'"
    assert commands.playbook("dev", "monitor_training") == f"ansible-playbook {named} playbooks/monitor_training.yml"
    commands.typed_with([str(project / "inventories/dev"), str(elsewhere)])
    assert commands.fix("dev") == (
        f"ansible-playbook -i inventories/dev {named} playbooks/verify_cleanup.yml -e training_cleanup_check_fix=true"
    )
    commands.typed_with(["localhost,"])
    assert commands.playbook("dev", "list_runs") == "ansible-playbook -i localhost, playbooks/list_runs.yml"


def test_outside_the_projects_folder_the_playbook_is_named_with_its_path(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    commands.typed_with([str(project / "inventories/dev")])
    words = shlex.split(commands.playbook("dev", "kill_training"))
    assert words[:3] == ["ansible-playbook", "-i", str(project / "inventories/dev")]
    assert Path(words[3]) == ROOT / "playbooks/kill_training.yml"


@pytest.mark.parametrize("value", ["sales", "it's 5 o'clock", 'a "b" $HOME $(date) `id`', "ümläut", "a=b", "-x", "{}"])
@pytest.mark.parametrize("outside", [False, True])
def test_a_pasted_value_arrives_as_it_was(project: Path, value: str, outside: bool) -> None:
    (project / "Makefile").write_text("dataset:\n\t@printf '%s\\0' $(ARGS)\n")
    (project / "ansible-playbook").write_text('#!/bin/sh\nshift 3\nprintf "%s\\0" "$@"\n')
    (project / "ansible-playbook").chmod(0o755)
    if outside:
        commands.typed_with(["/nowhere"])
    typed = commands.playbook("dev", "publish_dataset", training_dataset_name=value)
    typed = typed.replace("ansible-playbook", "./ansible-playbook")
    said = subprocess.run(["sh", "-c", typed], capture_output=True, check=True, text=True).stdout
    option, assigned = said.rstrip("\0").split("\0")
    assert option == "-e"
    assert _as_ansible_reads(assigned) == {"training_dataset_name": value}


def _as_ansible_reads(assigned: str) -> dict[str, object]:
    from ansible import context
    from ansible.utils.context_objects import CLIArgs

    before = context.CLIARGS
    load_extra_vars.cache_clear() if hasattr(load_extra_vars, "cache_clear") else None
    if hasattr(load_extra_vars, "extra_vars"):
        del load_extra_vars.extra_vars
    context.CLIARGS = CLIArgs({"extra_vars": (assigned,)})
    try:
        return {str(name): str(found) for name, found in load_extra_vars(DataLoader()).items()}
    finally:
        context.CLIARGS = before
        if hasattr(load_extra_vars, "extra_vars"):
            del load_extra_vars.extra_vars


def test_a_launch_ends_with_what_to_type_next(project: Path) -> None:
    assert commands.after_launch("dev") == [
        "make monitor ENV=dev  follow it until it ends",
        "make kill ENV=dev     end it and keep what it has stored",
        "make verify ENV=dev   afterwards: verify that nothing is left",
    ]


def test_targets_of_the_repository() -> None:
    assert commands.make("setup") == "make setup"
    assert commands.make("setup", PYTHON="python3.12") == "make setup PYTHON=python3.12"
