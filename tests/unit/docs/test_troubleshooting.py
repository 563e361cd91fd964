"""Each message of the troubleshooting page is one that the test it names makes happen and checks, word for word."""

from __future__ import annotations

import ast
import re

import pytest

from .pages import ROOT, TEST, missing_tests, rows

TEXT = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
ROWS = rows(TEXT)


def source_of(path: str, name: str) -> str:
    """Return a test with its parameters, joined as Python joins neighbouring strings, a pattern's dots as dots."""
    text = (ROOT / path).read_text(encoding="utf-8")
    (test,) = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == name]
    first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
    lines = text.splitlines()[first - 1 : test.end_lineno]
    return re.sub(r'"\s*\n\s*f?r?"', "", "\n".join(lines)).replace("\\.", ".")


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_the_message_is_in_the_test_that_shows_it(row: list[str]) -> None:
    message, meaning, shown = row
    ((path, name),) = TEST.findall(shown)
    assert not missing_tests(shown) and name and meaning
    quoted = re.fullmatch(r"`([^`]+)`", message)
    assert quoted is not None, message
    parts = [part.strip() for part in quoted[1].split("…") if part.strip()]
    assert any(len(part) >= 8 for part in parts), "quote enough of the message to find it by"
    said = source_of(path, name)
    assert [part for part in parts if part not in said] == []
