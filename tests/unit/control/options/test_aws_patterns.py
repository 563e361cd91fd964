"""Patterns of AWS's models that Python does not know as they are."""

from __future__ import annotations

import pytest

from chronos_training.control.options.aws_patterns import fits

# BudgetName of AWS Budgets.
BUDGET = r"^(?![^:\\]*/action/|(?i).*<script>.*</script>.*)[^:\\]+$"


@pytest.mark.parametrize(
    ("name", "right"),
    [("volatility-dev", True), ("a/action/b", False), ("<SCRIPT>x</Script>", False), ("a:b", False)],
)
def test_a_flag_in_the_middle_holds_to_the_end_of_its_group(name: str, right: bool) -> None:
    assert fits(BUDGET, name) is right
