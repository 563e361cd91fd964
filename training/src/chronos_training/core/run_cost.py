"""What a run has cost, from what its launch wrote into the run spec (`instance`) and from how long its instances lived.

Always an estimate: hourly prices of instances, volumes and public addresses times the time, and the price of the requests
that the instance has sent to S3. What S3 keeps comes on top, by the month.
"""

from __future__ import annotations

from typing import Any

from .cost import billed_seconds
from .run_spec import InstanceSpec

Json = dict[str, Any]
PARTS = ("instances", "volumes", "addresses")


def hourly(instance: InstanceSpec, instance_type: str | None) -> dict[str, float | None]:
    """Return dollars per hour of the whole run by part and in `total`, None where unknown.

    `instance_type` is the type that was started, None for the preferred one.
    """
    kind = instance_type or instance.type
    found = None if kind is None else instance.prices_per_hour_usd.get(kind)
    if found is not None:
        return {part: found.get(part) for part in (*PARTS, "total")}
    total = instance.price_per_hour_usd if kind == instance.type else None
    return {**dict.fromkeys(PARTS), "total": total}


def cost_usd(
    instance: InstanceSpec, instance_type: str | None, seconds: float, requests: dict[str, int] | None = None
) -> float | None:
    """Return the dollars of `seconds` of the run's life, all instances together; None when the price is unknown.

    `requests` counts `writes` and `reads` of S3.
    """
    total: float | None = breakdown(instance, instance_type, seconds, requests)["usd"]["total"]
    return total


def breakdown(
    instance: InstanceSpec, instance_type: str | None, seconds: float, requests: dict[str, int] | None = None
) -> Json:
    """Return the cost of `seconds` of life by part, with the seconds that are billed by type and market (summed over instances).

    `requests` counts `writes` and `reads` of S3; None where they are not known.
    """
    prices, billed = hourly(instance, instance_type), billed_seconds(seconds)
    usd = {part: None if price is None else price * billed / 3600 for part, price in prices.items()}
    total, usd["requests"] = usd.pop("total"), _of_requests(instance, requests)
    usd["total"] = None if total is None else total + (usd["requests"] or 0.0)
    return {
        "instance_seconds": [
            {
                "type": instance_type or instance.type,
                "market": instance.market,
                "count": instance.count,
                "seconds": round(billed * instance.count, 3),
            }
        ],
        "requests": requests,
        "usd": {part: None if dollars is None else round(dollars, 6) for part, dollars in usd.items()},
        "price_date": instance.price_date,
    }


def _of_requests(instance: InstanceSpec, requests: dict[str, int] | None) -> float | None:
    prices = instance.request_prices_usd  # a run spec of before they were counted has none
    if not prices or requests is None:
        return None
    return float(sum(prices[kind] * number for kind, number in requests.items()))


def cost_of_run(state: Json, instance: InstanceSpec, seconds: float | None) -> float | None:
    """Return what a run has cost: what its state last said, else the price times `seconds`; None when unknown.

    `state` is the record as JSON; `seconds` from the launch to the last heartbeat.
    """
    said = state.get("cost_usd")
    if isinstance(said, int | float):
        return float(said)
    if seconds is None:
        return None
    return cost_usd(instance, state.get("instance_type"), seconds)
