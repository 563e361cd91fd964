"""Every code that an error is raised with is in the table, and nothing is in the table that no error has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chronos_training.core import error_codes
from chronos_training.core.errors import (
    ConfigurationError,
    DataError,
    PermissionDenied,
    TrainingError,
    Unreachable,
)

ROOT = Path(__file__).parents[3]
SOURCES = [*sorted((ROOT / "training/src").rglob("*.py")), *sorted((ROOT / "library").glob("*.py"))]


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]


def classes_of_errors(modules: list[ast.Module]) -> dict[str, ast.ClassDef]:
    """Return TrainingError and all classes below it, by name."""
    every = [node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found: dict[str, ast.ClassDef] = {}
    while True:
        below = {"TrainingError", *found}
        more = [
            node for node in every
            if node.name not in found
            and (node.name == "TrainingError" or {getattr(base, "id", "") for base in node.bases} & below)
        ]  # fmt: skip
        if not more:
            return found
        found |= {node.name: node for node in more}


def texts(value: ast.expr | None) -> Iterator[str]:
    if value is not None:
        yield from (
            node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )


def used() -> set[str]:
    """Return the codes of all classes of errors and those that single errors and outcomes are made with."""
    modules = trees()
    errors = classes_of_errors(modules)
    found: set[str] = set()
    for node in errors.values():
        for line in node.body:
            if isinstance(line, ast.Assign) and [getattr(target, "id", "") for target in line.targets] == ["code"]:
                found |= set(texts(line.value))
    for tree in modules:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors:
                found |= {text for word in node.keywords if word.arg == "code" for text in texts(word.value)}
            if isinstance(node, ast.Assign) and any(
                getattr(target, "id", getattr(target, "attr", "")) == "error_code" for target in node.targets
            ):
                found |= set(texts(node.value))
    return found


def test_the_codes_in_use_are_those_of_the_table() -> None:
    assert used() == set(error_codes.CODES)


def test_the_page_is_written_from_the_table() -> None:
    written = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert written == error_codes.page(), "run: python -m chronos_training.core.error_codes > docs/errors.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TrainingError("it failed"), "operation_failed"),
        (ConfigurationError("a value"), "configuration_invalid"),
        (DataError("a file"), "data_invalid"),
        (PermissionDenied("a call"), "permission_denied"),
        (Unreachable("no answer"), "service_unavailable"),
        (TrainingError("no zone", code="no_capacity"), "no_capacity"),
        (DataError("a file", code="checksum_mismatch"), "checksum_mismatch"),
    ],
)
def test_an_error_has_the_code_of_its_class_or_its_own(error: TrainingError, code: str) -> None:
    assert error.code == code
