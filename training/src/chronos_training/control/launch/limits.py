"""How long a run may live: the smaller of its hours and of what its cap on cost pays for (R50, C9)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chronos_training.core.clock import duration
from chronos_training.core.cost import HourlyPrice
from chronos_training.core.errors import ConfigurationError

if TYPE_CHECKING:  # a launch takes only the constant, and does not load the configuration's checks for it
    from chronos_training.config import TrainingConfig

# The last guard on the machine (`shutdown -h +N`) and the end of the run itself may take this much longer.
GUARD_MINUTES = 15
# Boot, environment and the way to the end take some minutes of every run; with less than this little would be learnt.
LEAST_CAPPED_SECONDS = 600.0


def poweroff_minutes(deadline_seconds: float) -> int:
    """Return the minutes from boot after which the last guard switches the machine off, whatever it is doing."""
    return math.ceil(deadline_seconds / 60) + GUARD_MINUTES


def worst_seconds(deadline_seconds: float) -> float:
    """Return the longest that an instance lives, when everything but the last guard fails."""
    return poweroff_minutes(deadline_seconds) * 60.0


def deadline_of(config: TrainingConfig, price: HourlyPrice, types: str) -> float:
    """Return the seconds from boot to the run's limit. `price` is that of the most expensive of the instance `types`.

    ConfigurationError when there is a cap and no price, or when the cap pays for too little to be of use.
    """
    run = config.run
    allowed = run.max_runtime_hours * 3600
    if run.max_cost is None:
        return allowed
    if price.total is None:
        raise ConfigurationError(
            f"run.max_cost: a cap of ${run.max_cost:.2f} cannot be enforced, because the price of {types} is not "
            "known.",
            hint="Set training_launch_price_per_hour to the price of one instance, all included, or choose another type.",
        )
    # The guards' minutes are paid for, too; whole minutes, because the last of them counts in minutes.
    paid = price.seconds_for(run.max_cost) - GUARD_MINUTES * 60
    if paid < min(LEAST_CAPPED_SECONDS, allowed):
        least = price.cost(worst_seconds(min(LEAST_CAPPED_SECONDS, allowed))) or 0.0
        raise ConfigurationError(
            f"run.max_cost: ${run.max_cost:.2f} pays for {duration(price.seconds_for(run.max_cost))} of {types} at "
            f"${price.total:.3f} an hour, of which the guards need {GUARD_MINUTES} minutes: too little for a run.",
            hint=f"Allow at least ${math.ceil(least * 100) / 100:.2f}, or choose a cheaper type.",
        )
    return allowed if paid >= allowed else math.floor(paid / 60) * 60.0


def with_limit(config: TrainingConfig, deadline_seconds: float) -> TrainingConfig:
    """Return `config` with the limit that holds, so that whatever plans its time by it plans by this one."""
    run = config.run.model_copy(update={"max_runtime_hours": deadline_seconds / 3600})
    return config.model_copy(update={"run": run})
