"""What the tests of the documentation read: pages, their fenced commands, and the tests that they name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEST = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(text: str, title: str) -> str:
    """Return the part of a page below `## title`."""
    return re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def commands(text: str) -> list[str]:
    """Return the lines of every block that is fenced as sh."""
    return [line.strip() for block in _FENCE.findall(text) for line in block.splitlines() if line.strip()]


@cache
def tests_in(path: str) -> frozenset[str]:
    """Return the names of the test functions in a file of the repository."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def missing_tests(text: str) -> list[str]:
    """Return the tests that a page names and that do not exist."""
    missing = []
    for path, name in TEST.findall(text):
        if not (ROOT / path).is_file() or (name and name not in tests_in(path)):
            missing.append(f"{path}::{name}" if name else path)
    return missing


def rows(text: str) -> list[list[str]]:
    """Return the cells of every row of every table, without heads and rules."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    rules = {n for n, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]
