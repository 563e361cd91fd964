"""Every command that the documentation prints in a block of sh is one that would be taken: nothing is run here."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import botocore.session
import pytest
import real_series
import reference
import yaml
from ansible.cli.playbook import PlaybookCLI
from botocore import xform_name

from chronos_training.cli import refresh_prices
from chronos_training.cli.main import parser
from chronos_training.control.options import inputs
from chronos_training.data.synthetic import panel as synthetic_panel
from local_aws.__main__ import _parser as local_aws_parser

from .pages import PAGES, ROOT, commands

ROLES = inputs.read_roles(ROOT / "roles")
INVENTORIES = {path.name for path in (ROOT / "inventories").iterdir()}
# Programs of others, whose words are theirs.
FOREIGN = {"export", "uv", "pip", "cd", "git", "gh", "mkdir", "npm", "apt-get"}
TARGET = re.compile(r"^([a-z-]+):.*?(?:\n(?:\t.*\n)+|\n)", re.MULTILINE)
GLOBAL_OPTIONS = {"--region", "--profile", "--output", "--query"}
HIGH_LEVEL = {("s3", "ls"), ("sso", "login")}
COMMANDS = [(page, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))]


@cache
def targets() -> dict[str, str]:
    """Return the recipe of each target of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {found[1]: found[0] for found in TARGET.finditer(text)}


@cache
def of_the_inventory() -> frozenset[str]:
    """Return the variables that inventories set, of which roles' options are made: they are taken with -e as well."""
    files = (ROOT / "inventories/dev/group_vars/all").glob("*.yml")
    return frozenset(name for file in files for name in yaml.safe_load(file.read_text(encoding="utf-8")))


@cache
def roles_of(playbook: str) -> tuple[str, ...]:
    names = reference.playbook_roles(ROOT / playbook)
    return (*names, *(taken for name in names for taken in reference.taken_from(ROLES[name])))


def check_ansible(playbooks: list[str], words: list[str]) -> None:
    """The words are options of ansible-playbook, and each variable is of a role that one of the playbooks runs, or of inventories."""
    cli = PlaybookCLI(["ansible-playbook", *playbooks, *words])
    cli.init_parser()  # not cli.parse(): what that reads, it keeps for the life of the process
    options = cli.parser.parse_args(cli.args[1:])
    given = {}
    for word in options.extra_vars:
        loaded = yaml.safe_load(word) if word[0] in "{[" else dict([word.split("=", 1)])
        assert isinstance(loaded, dict), f"not a mapping once the shell has read it: {word}"
        given |= loaded
    for path in options.inventory or ():
        assert Path(path).name in INVENTORIES
    allowed = {name: role for book in playbooks for role in roles_of(book) for name in ROLES[role].options}
    foreign = set(given) - set(allowed) - of_the_inventory() - {"help"}
    assert not foreign, f"{sorted(foreign)} is no option of {playbooks}"
    assert inputs.wrong_choices(given, [ROLES[role] for role in set(allowed.values())]) == []


def check_make(words: list[str]) -> None:
    given = dict(word.split("=", 1) for word in words if "=" in word)
    named = [word for word in words if "=" not in word]
    assert set(given) <= {"ENV", "ARGS", "PYTHON", "PROBE"} and set(named) <= set(targets()), words
    assert given.get("ENV", "local") in INVENTORIES
    if "ARGS" in given:
        # make pastes ARGS into a line of sh, which reads it once more.
        (target,) = named
        playbooks = re.findall(r"playbooks/\w+\.yml", targets()[target])
        assert playbooks, f"{target} runs no playbook, so what ARGS means is not checked"
        check_ansible(playbooks, shlex.split(given["ARGS"]))


def check_aws(words: list[str]) -> None:
    service, operation, *options = words
    if (service, operation) in HIGH_LEVEL:
        return
    model = botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{service} has no {operation}"
    members = {f"--{xform_name(member, '-')}" for member in model.operation_model(names[operation]).input_shape.members}
    assert {word for word in options if word.startswith("--")} <= members | GLOBAL_OPTIONS


def check(line: str) -> None:
    substituted = re.search(r'"\$\((.*)\)"$', line) if line.startswith("eval") else None
    if substituted:
        return check(substituted[1])
    program, *words = shlex.split(re.sub(r"\$\([^)]*\)", "substituted", line), comments=True)
    name = Path(program).name
    if name == "make":
        check_make(words)
    elif name == "ansible-playbook":
        playbooks = [word for word in words if word.startswith("playbooks/")]
        check_ansible(playbooks, [word for word in words if word not in playbooks])
    elif name == "chronos-training":
        parser().parse_args(words)
    elif name == "aws":
        check_aws(words)
    elif name == "python" and words[:2] == ["-m", "local_aws"]:
        local_aws_parser().parse_args(words[2:])
    elif name == "python" and words[:2] == ["-m", "chronos_training.cli.refresh_prices"]:
        refresh_prices.parser().parse_args(words[2:])
    elif name == "python" and words[:2] == ["-m", "chronos_training.data.synthetic.panel"]:
        synthetic_panel.parser().parse_args(words[2:])
    elif name == "python" and words[:1] == ["tools/real_series.py"]:
        real_series.parser().parse_args(words[1:])
    elif name == "sh" and words[:1] == ["tools/volatility.sh"]:
        pass  # tests/volatility/test_page.py runs them, in the environment that has what their parser imports
    else:
        assert name in FOREIGN, f"nobody checks commands of {program}"
    return None


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page.stem}: {line[:70]}" for page, line in COMMANDS])
def test_a_command_of_the_documentation_would_be_taken(page: Path, line: str) -> None:
    check(line)


def test_there_are_commands():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(
    "line",
    [
        "make lunch",
        "make launch ENV=mars",
        "make launch ARGS='-e training_launch_confg=x'",
        "make launch ARGS='-e training_runs_limit=3'",
        "make launch ARGS='-e training_launch_device=gpu'",
        'make launch ARGS=\'-e {"training_launch_device":"cpu"}\'',
        "make launch ARGS=--chek",
        "chronos-training train",
        "aws ec2 describe-instance",
        "aws ec2 describe-instances --instance 1",
        "curl https://example.com",
    ],
)
def test_a_command_that_would_not_be_taken_is_found(line):
    with pytest.raises((AssertionError, SystemExit)):
        check(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_looks_like_a_command_is_fenced_as_one(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^    (make|aws|ansible-playbook|chronos-training|\.venv/bin/\S+) ", text, re.MULTILINE)


def test_every_target_has_its_line_in_the_help():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(targets()) == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
