"""docs/fault-table.md has a row for every fault that is played, and for no other."""

from __future__ import annotations

from . import fault_table
from .fault_cases import CASES


def test_the_table_has_every_case_in_order() -> None:
    assert list(fault_table.committed()) == [fault_table.title(name) for name in CASES], (
        "run: python -m tests.boot.fault_table"
    )
