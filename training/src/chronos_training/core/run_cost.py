"""What a run has cost, from what its launch wrote into the run spec (`instance`) and from how long its instances lived.

Always an estimate: hourly prices of instances, volumes and public addresses times the time. Requests and storage in S3
come on top; they are cents.
"""

from __future__ import annotations

from typing import Any

from .cost import billed_seconds

Json = dict[str, Any]
PARTS = ("instances", "volumes", "addresses")


def hourly(instance: Json, instance_type: str | None) -> Json:
    """Return dollars per hour of the whole run by part and in `total`, None where unknown.

    `instance` is that section of a run spec; `instance_type` the type that was started, None for the preferred one. A run
    spec of before there were parts has only the total of its preferred type.
    """
    kind = instance_type or instance.get("type")
    found = (instance.get("prices_per_hour_usd") or {}).get(kind)
    if found is not None:
        return {part: found.get(part) for part in (*PARTS, "total")}
    total = instance.get("price_per_hour_usd") if kind == instance.get("type") else None
    return {**dict.fromkeys(PARTS), "total": total}


def cost_usd(instance: Json, instance_type: str | None, seconds: float) -> float | None:
    """Return the dollars of `seconds` of the run's life, all instances together; None when the price is unknown."""
    price = hourly(instance, instance_type)["total"]
    return None if price is None else round(price * billed_seconds(seconds) / 3600, 6)


def breakdown(instance: Json, instance_type: str | None, seconds: float) -> Json:
    """Return the cost of `seconds` of life by part, with the seconds that are billed by type and market (summed over instances)."""
    prices, billed = hourly(instance, instance_type), billed_seconds(seconds)
    count = int(instance.get("count") or 1)
    return {
        "instance_seconds": [
            {
                "type": instance_type or instance.get("type"),
                "market": instance.get("market"),
                "count": count,
                "seconds": round(billed * count, 3),
            }
        ],
        "usd": {part: None if price is None else round(price * billed / 3600, 6) for part, price in prices.items()},
        "price_date": instance.get("price_date"),
    }


def cost_of_run(state: Json, spec: Json, seconds: float | None) -> float | None:
    """Return what a run has cost: what its state last said, else the price times `seconds`; None when unknown.

    `state` is the record as JSON, `spec` the run spec; `seconds` from the launch to the last sign of life.
    """
    said = state.get("cost_usd")
    if isinstance(said, int | float):
        return float(said)
    if seconds is None:
        return None
    return cost_usd(spec.get("instance", {}), state.get("instance_type"), seconds)
