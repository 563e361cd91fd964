"""The cost of a month: line by line, from a dated table, and within what was promised."""

from __future__ import annotations

import pytest

from chronos_training.control.volatility import cost
from chronos_training.control.volatility.cost import Usage


def dollars(usage: Usage) -> float:
    return sum(one.dollars for one in cost.month(usage))


def test_a_month_costs_at_most_six_dollars_at_list_prices() -> None:
    assert 2 < dollars(Usage()) <= 6
    assert dollars(Usage(mirror=True, macro=True)) <= 6


@pytest.mark.parametrize(
    ("more", "by"),
    [
        (Usage(macro=True), 0.40),  # a secret
        (Usage(data_gb=11), 0.23),  # ten GB
        (Usage(api_requests=1_010_000), 3.50 + 0.20 + 1e6 * 0.05 * 0.5 * 0.0000166667),  # a million requests
    ],
)
def test_what_is_added_is_paid_for(more: Usage, by: float) -> None:
    assert dollars(more) - dollars(Usage()) == pytest.approx(by, abs=1e-6)


def test_the_lines_say_which_prices_they_are_of() -> None:
    said = "\n".join(cost.told(Usage(), "eu-west-1"))
    table = cost.price_table()
    assert f"List prices of {table['region']}, {table['date']}; eu-west-1 may differ" in said
    assert "may differ" not in "\n".join(cost.told(Usage(), table["region"]))
    assert f"{dollars(Usage()):.2f}" in said
