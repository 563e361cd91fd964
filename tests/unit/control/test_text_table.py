"""Cells stand below each other."""

from __future__ import annotations

from chronos_training.control.text_table import aligned


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned([("run", "status"), ("20260101-010101", "ok"), ("", "lost")]) == [
        "run              status",
        "20260101-010101  ok",
        "                 lost",
    ]


def test_numbers_end_together() -> None:
    assert aligned([["cost", "of"], ["$9.10", "a"]], right=[0]) == [" cost  of", "$9.10  a"]
