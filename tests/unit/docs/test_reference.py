"""docs/reference is what the roles and modules say of themselves."""

from __future__ import annotations

import pytest
import reference

PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_files_say(name):
    written = (reference.PAGES / name).read_text(encoding="utf-8")
    assert written == PAGES[name].rstrip() + "\n", "run: make reference"


def test_nothing_else_lies_there():
    assert {path.name for path in reference.PAGES.iterdir()} == set(PAGES)


def test_every_option_of_every_role_is_there():
    options = [name for role in reference.read_roles(reference.ROOT / "roles").values() for name in role.options]
    assert len(options) > 50
    assert [name for name in options if f"| `{name}` |" not in PAGES["roles.md"]] == []
