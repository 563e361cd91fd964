"""What the run cost so far, and what the same hours would cost on the reference instance. Always an estimate."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from chronos_training.core.cost import billed_seconds

STARTED_AT = "CHRONOS_RUN_STARTED_AT"


def started_at(fallback: datetime) -> datetime:
    """Return the instance's start (environment variable, ISO 8601 in UTC), or `fallback` when it is not given."""
    try:
        moment = datetime.fromisoformat(os.environ.get(STARTED_AT, "").replace("Z", "+00:00"))
    except ValueError:
        return fallback
    return moment if moment.tzinfo else fallback


def estimate(instance: dict[str, Any], begun: datetime, now: datetime) -> dict[str, Any]:
    """Return hours since the start and price × hours, for the instance and the reference type, in USD.

    The prices are those that the launch announced (instance, disk, address); requests come on top and are small. Null
    where no price is known.
    """
    hours = billed_seconds((now - begun).total_seconds()) / 3600

    def cost(price: Any) -> float | None:
        return round(float(price) * hours, 6) if isinstance(price, int | float) else None

    return {
        "estimate": True,
        "billed_hours_so_far": round(hours, 6),
        "instance_type": instance.get("type"),
        "market": instance.get("market"),
        "price_per_hour_usd": instance.get("price_per_hour_usd"),
        "price_date": instance.get("price_date"),
        "cost_so_far_usd": cost(instance.get("price_per_hour_usd")),
        "reference_type": instance.get("reference_type"),
        "reference_price_per_hour_usd": instance.get("reference_price_per_hour_usd"),
        "reference_cost_same_hours_usd": cost(instance.get("reference_price_per_hour_usd")),
    }
