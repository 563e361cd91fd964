from datetime import date

import pytest

from chronos_training.core.cost import hourly_price, price_table, reference_cost, table_doubts


def test_a_run_of_four_hours_on_the_reference_type_costs_what_the_requirement_says():
    assert 2.0 < reference_cost(4 * 3600) < 4.0  # R34


def test_an_unknown_type_has_no_price_and_says_so():
    assert hourly_price("x9.huge", 100).total is None
    assert hourly_price("x9.huge", 100, override=2.5).cost(7200) == 5.0


def test_every_instance_of_a_run_is_paid_for():
    one, three = hourly_price("g4dn.2xlarge", 100), hourly_price("g4dn.2xlarge", 100, instances=3)
    assert three.cost(7200) == pytest.approx(3 * one.cost(7200))
    assert hourly_price("x9.huge", 100, override=2.5, instances=3).cost(7200) == 15.0
    assert hourly_price("x9.huge", 100, instances=3).total is None


def test_ec2_bills_a_minute_at_least():
    assert hourly_price("g4dn.2xlarge", 100).cost(1) == hourly_price("g4dn.2xlarge", 100).cost(60)


def test_a_table_that_is_old_or_of_another_region_is_doubted():
    table = {"date": "2026-01-01", "region": "us-east-1"}
    assert table_doubts("us-east-1", date(2026, 6, 30), table) == []  # 180 days
    assert table_doubts("us-east-1", date(2026, 7, 1), table) == ["The price table is 181 days old (2026-01-01)."]
    assert table_doubts("eu-west-1", date(2026, 1, 2), table) == [
        "The price table is for us-east-1, but this run is in eu-west-1."
    ]


def test_the_table_of_the_repository_has_what_the_plan_needs():
    table = price_table()
    assert date.fromisoformat(table["date"]) and table["region"]
    assert all(price > 0 for price in table["instance_per_hour"].values())
