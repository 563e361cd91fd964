"""The page of requirements names what exists: every requirement of the system, files, and tests."""

from __future__ import annotations

import re

import pytest

from .pages import PAGES, ROOT, TEST, missing_tests, rows, section

TEXT = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
SYSTEM, DEFERRED = (rows(section(TEXT, title)) for title in ("The training system", "What was deferred, and is built"))


def test_every_requirement_of_the_system_has_its_row():
    assert [row[0] for row in SYSTEM] == [f"R{n}" for n in range(1, 39)]


@pytest.mark.parametrize("row", SYSTEM + DEFERRED, ids=[row[0] for row in SYSTEM + DEFERRED])
def test_what_a_row_names_exists(row: list[str]) -> None:
    _, _, built, shown = row
    assert [path for path in re.findall(r"`([^`]+)`", built) if not (ROOT / path).exists()] == []
    named = TEST.findall(shown)
    assert named and all(name for _, name in named), "a requirement is shown by a test, not by a file"
    assert missing_tests(shown) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_test_that_does_not_exist(page):
    assert missing_tests(page.read_text(encoding="utf-8")) == []


def test_a_lost_test_would_be_found():
    assert missing_tests("`tests/unit/docs/test_requirements.py::test_of_nothing`, `tests/no/such.py`") == [
        "tests/unit/docs/test_requirements.py::test_of_nothing",
        "tests/no/such.py",
    ]
