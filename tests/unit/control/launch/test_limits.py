"""A cap on cost is a deadline: the guards' minutes are paid for too, and what cannot be kept is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chronos_training.config import TrainingConfig
from chronos_training.control.launch.limits import GUARD_MINUTES, deadline_of, with_limit, worst_seconds
from chronos_training.core.cost import HourlyPrice, dearest, hourly_price
from chronos_training.core.errors import ConfigurationError

DOLLAR_AN_HOUR = HourlyPrice(0.9, 0.09, 0.01, "2026-01-01")
UNKNOWN = HourlyPrice(None, 0.09, 0.01, "2026-01-01")


def config(**run: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"run": run})


def test_without_a_cap_the_hours_are_the_limit() -> None:
    assert deadline_of(config(max_runtime_hours=2.0), UNKNOWN, "x9.huge") == 7200


@pytest.mark.parametrize("cap", [0.5, 0.77, 1.0, 3.21, 11.99])
def test_the_worst_case_stays_within_the_cap_and_wastes_less_than_two_minutes_of_it(cap: float) -> None:
    deadline = deadline_of(config(max_cost=cap), DOLLAR_AN_HOUR, "a")
    worst = DOLLAR_AN_HOUR.cost(worst_seconds(deadline))
    assert worst is not None and worst <= cap
    assert cap - worst < 2 / 60


def test_a_cap_that_pays_for_more_than_the_hours_changes_nothing() -> None:
    assert deadline_of(config(max_runtime_hours=1.0, max_cost=9.0), DOLLAR_AN_HOUR, "a") == 3600
    free = HourlyPrice(0.0, 0.0, 0.0, "given")
    assert deadline_of(config(max_cost=0.01), free, "a") == 12 * 3600


def test_every_instance_of_the_run_is_paid_from_the_same_cap() -> None:
    one = deadline_of(config(max_cost=2.0), hourly_price("g4dn.2xlarge", 100), "a")
    two = deadline_of(config(max_cost=4.0), hourly_price("g4dn.2xlarge", 100, instances=2), "a")
    assert one == two < 12 * 3600


def test_the_dearest_type_that_may_be_started_decides() -> None:
    cheap = HourlyPrice(0.4, 0.0, 0.0, "2026-01-01")
    assert dearest([cheap, DOLLAR_AN_HOUR]) == DOLLAR_AN_HOUR
    assert dearest([DOLLAR_AN_HOUR, UNKNOWN, cheap]) == UNKNOWN


def test_a_cap_without_a_price_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"run\.max_cost: a cap of \$3\.00 cannot be enforced.*x9\.huge"
    ) as caught:
        deadline_of(config(max_cost=3.0), UNKNOWN, "x9.huge")
    assert "training_launch_price_per_hour" in str(caught.value)


def test_a_cap_that_pays_for_too_little_is_refused_and_the_least_that_it_names_is_enough() -> None:
    with pytest.raises(ConfigurationError) as caught:
        deadline_of(config(max_cost=0.3), DOLLAR_AN_HOUR, "g4dn.2xlarge")
    said = str(caught.value)
    assert "run.max_cost: $0.30 pays for 18 min 00 s of g4dn.2xlarge at $1.000 an hour" in said
    assert f"of which the guards need {GUARD_MINUTES} minutes" in said
    assert "Allow at least $0.42" in said
    assert deadline_of(config(max_cost=0.42), DOLLAR_AN_HOUR, "g4dn.2xlarge") == 600


def test_what_plans_its_time_by_the_configuration_plans_by_the_limit_that_holds() -> None:
    assert with_limit(config(max_cost=1.0), 1800.0).run.max_runtime_hours == 0.5


def test_a_launch_does_not_load_the_checks_of_the_configuration_for_a_constant() -> None:
    program = "import sys, chronos_training.control.launch.launch; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
