"""What the run cost so far, and what the same hours would cost on the reference instance. Always an estimate."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from chronos_training.core.cost import billed_seconds
from chronos_training.core.run_cost import breakdown, hourly
from chronos_training.core.run_spec import InstanceSpec

STARTED_AT = "CHRONOS_RUN_STARTED_AT"
INSTANCE_TYPE = "CHRONOS_INSTANCE_TYPE"


def started_at(fallback: datetime) -> datetime:
    """Return the instance's start (environment variable, ISO 8601 in UTC), or `fallback` when it is not given."""
    try:
        moment = datetime.fromisoformat(os.environ.get(STARTED_AT, "").replace("Z", "+00:00"))
    except ValueError:
        return fallback
    return moment if moment.tzinfo else fallback


def instance_type() -> str | None:
    """Return the type that this runs on (environment variable), None where it is not told: the launch's first choice."""
    return os.environ.get(INSTANCE_TYPE) or None


def estimate(instance: InstanceSpec, begun: datetime, now: datetime, started_type: str | None = None) -> dict[str, Any]:
    """Return hours since the start, and price × hours by part, for the instance and the reference type, in USD.

    `started_type` is the instance type that was available. The prices are
    those that the launch announced; requests come on top and are small. Null where no price is known.
    """
    seconds = (now - begun).total_seconds()
    hours = billed_seconds(seconds) / 3600
    kind = started_type or instance.type
    parts, reference = breakdown(instance, kind, seconds), instance.reference_price_per_hour_usd
    return {
        "estimate": True,
        "billed_hours_so_far": round(hours, 6),
        "instance_type": kind,
        "market": instance.market,
        "instance_seconds": parts["instance_seconds"] if kind else [],
        "price_per_hour_usd": hourly(instance, kind)["total"],
        "price_date": instance.price_date,
        "cost_so_far_usd": parts["usd"]["total"],
        "parts_usd": {part: parts["usd"][part] for part in ("instances", "volumes", "addresses")},
        "reference_type": instance.reference_type,
        "reference_price_per_hour_usd": reference,
        "reference_cost_same_hours_usd": None if reference is None else round(reference * hours, 6),
    }
