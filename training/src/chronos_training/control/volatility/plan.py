"""What provisioning and deploying make, and what a month of it costs, told before anything is made."""

from __future__ import annotations

from chronos_training.control.text_table import aligned
from chronos_training.control.volatility import cost


def told(prefix: str, region: str, usage: cost.Usage) -> list[str]:
    """Return the plan as lines."""
    made = [
        ("provision", "key, bucket, secrets, roles, security group, parameters" + (", table" if usage.mirror else "")),
        ("publish", "two image repositories and what is in them"),
        (
            "deploy",
            "seven functions, cluster and task definition, chain, schedules, API, topic, alarms, dashboard, budget",
        ),
    ]
    return [f"{prefix} in {region}:", *[f"  {line}" for line in aligned(made)], *cost.told(usage, region)]
