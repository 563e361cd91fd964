"""The table "Where do I change …" names files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_file_of_the_table_exists() -> None:
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## Where do I change …")[1]
    files = re.findall(r"^\| .+ \| `(.+)` \|$", section.split("\n## ")[0], re.MULTILINE)
    assert len(files) >= 10
    assert [name for name in files if not (ROOT / name).is_file()] == []
