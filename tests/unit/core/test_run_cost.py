from dataclasses import replace

import pytest

from chronos_training.core import typed_json
from chronos_training.core.run_cost import breakdown, cost_of_run, cost_usd
from chronos_training.core.run_spec import InstanceSpec

INSTANCE = typed_json.read(InstanceSpec, {
    "type": "g4dn.2xlarge",
    "count": 2,
    "market": "on-demand",
    "price_per_hour_usd": 2.0,
    "price_date": "2026-01-01",
    "prices_per_hour_usd": {
        "g4dn.2xlarge": {"instances": 1.9, "volumes": 0.09, "addresses": 0.01, "total": 2.0},
        "g4dn.xlarge": {"instances": 0.9, "volumes": 0.09, "addresses": 0.01, "total": 1.0},
        "x9.huge": {"instances": None, "volumes": 0.09, "addresses": 0.01, "total": None},
    },
})  # fmt: skip


def test_the_type_that_was_to_be_had_is_paid_not_the_one_that_was_preferred():
    assert cost_usd(INSTANCE, "g4dn.2xlarge", 3600) == cost_usd(INSTANCE, None, 3600) == 2.0
    assert cost_usd(INSTANCE, "g4dn.xlarge", 3600) == 1.0
    assert cost_usd(INSTANCE, "x9.huge", 3600) is None


def test_parts_add_up_and_seconds_are_of_all_instances():
    found = breakdown(INSTANCE, "g4dn.xlarge", 1800)
    assert found["instance_seconds"] == [{"type": "g4dn.xlarge", "market": "on-demand", "count": 2, "seconds": 3600}]
    usd = found["usd"]
    assert usd["total"] == pytest.approx(usd["instances"] + usd["volumes"] + usd["addresses"]) == 0.5


def test_requests_are_paid_by_their_class_and_are_part_of_the_total():
    priced = replace(INSTANCE, request_prices_usd={"writes": 5e-6, "reads": 4e-7})
    sent = {"writes": 1000, "reads": 10_000}
    found = breakdown(priced, "g4dn.xlarge", 3600, sent)
    assert found["requests"] == sent
    assert found["usd"]["requests"] == pytest.approx(0.009)
    assert found["usd"]["total"] == cost_usd(priced, "g4dn.xlarge", 3600, sent) == pytest.approx(1.009)


def test_a_minute_is_billed_at_least():
    assert cost_usd(INSTANCE, None, 1) == cost_usd(INSTANCE, None, 60)


def test_a_run_spec_from_before_there_were_parts_still_has_its_total():
    old = InstanceSpec(type="m5.large", price_per_hour_usd=0.1)
    assert cost_usd(old, None, 3600) == cost_usd(old, "m5.large", 3600) == 0.1
    assert cost_usd(old, "m5.xlarge", 3600) is None
    unknown = dict.fromkeys(("instances", "volumes", "addresses", "requests"))
    assert breakdown(old, None, 3600, {"writes": 9, "reads": 9})["usd"] == {**unknown, "total": 0.1}
    assert cost_usd(InstanceSpec(), None, 3600) is None


def test_what_the_state_said_last_counts_before_what_can_be_reckoned():
    assert cost_of_run({"cost_usd": 0.25, "instance_type": "g4dn.xlarge"}, INSTANCE, 3600) == 0.25
    assert cost_of_run({"instance_type": "g4dn.xlarge"}, INSTANCE, 3600) == 1.0
    assert cost_of_run({}, INSTANCE, None) is None
