"""Every command that a message tells a person to type is made by core/commands.py, which knows their environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from chronos_training.core.commands import TARGETS

ROOT = Path(__file__).resolve().parents[3]
MAKER = ROOT / "training/src/chronos_training/core/commands.py"
TYPED = re.compile(
    r"ansible-playbook (?!-)?\S|playbooks/\w+\.yml|-m local_aws \w|chronos-training (?:train|evaluate|forecast|validate)"
    rf"|\b(?:{'|'.join(TARGETS)})\.yml"
    rf"|\bmake (?:{'|'.join(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))})\b(?! (?:the|it|a) )"
)


def _documentation(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes of docstrings and of what Ansible shows as a plugin's documentation."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            found.add(body[0].value)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in {
            "DOCUMENTATION",
            "EXAMPLES",
            "RETURN",
        }:
            found.add(node.value)
    return found


def _in_python() -> Iterator[tuple[str, str]]:
    folders = ("training/src", "library", "plugins", "local_aws")
    for path in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        if path == MAKER:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documentation = _documentation(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name != "import_playbook":
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _in_roles() -> Iterator[tuple[str, str]]:
    """Yield what tasks, defaults and templates say: their comments are for who reads the file."""
    for path in sorted((ROOT / "roles").rglob("*.yml")):
        if path.parent.name in {"tasks", "handlers", "defaults", "vars"}:
            for text in _texts(yaml.safe_load(path.read_text(encoding="utf-8"))):
                yield str(path.relative_to(ROOT)), text


def test_no_message_writes_a_command_by_itself() -> None:
    wrong = [f"{where}: {text}" for where, text in (*_in_python(), *_in_roles()) if TYPED.search(text)]
    assert not wrong, "\n".join(wrong)


def test_what_it_looks_for() -> None:
    for text in (
        "See playbooks/list_runs.yml.", "Start one: make launch.", "run `make setup`", "end it: ansible-playbook x",
        "proved by verify_cleanup.yml", "make kill ENV=dev",
    ):  # fmt: skip
        assert TYPED.search(text), text
    assert not TYPED.search("the terminal of ansible-playbook, as its tasks know it")
    assert not TYPED.search("Could not make the queue q")
