"""What a run costs: instance, volume and public address by the hour, from the dated table in `prices.json` (C10)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HOURS_PER_MONTH = 730.0  # AWS's own convention for gp3 prices
REFERENCE_TYPE = "g4dn.2xlarge"


def billed_seconds(seconds: float) -> float:
    """Return the seconds that EC2 bills for `seconds` of life: by the second, a minute at least."""
    return max(60.0, seconds)


@dataclass(frozen=True)
class HourlyPrice:
    """US dollars per hour of a run's instances with volumes and addresses. `instance` is None when the type is unknown."""

    instance: float | None
    volume: float
    address: float
    date: str

    @property
    def total(self) -> float | None:
        """Return the sum per hour, or None when the instance's price is unknown."""
        return None if self.instance is None else self.instance + self.volume + self.address

    def cost(self, seconds: float) -> float | None:
        """Return the dollars of `seconds` of life, or None when unknown."""
        return None if self.total is None else self.total * billed_seconds(seconds) / 3600.0


@cache
def price_table() -> dict[str, Any]:
    """Return the table: `instance_per_hour`, `gp3_per_gb_month`, `public_ipv4_per_hour` in US dollars, and its `date`."""
    table: dict[str, Any] = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))
    return table


def hourly_price(
    instance_type: str, volume_gb: float, override: float | None = None, instances: int = 1
) -> HourlyPrice:
    """Return the price of `instances` of `instance_type`, each with a gp3 volume of `volume_gb`.

    `override` (dollars per hour of one, all included) replaces the table: for another region, a discount, or the
    embedded AWS.
    """
    table = price_table()
    if override is not None:
        return HourlyPrice(override * instances, 0.0, 0.0, "given by the inventory")
    one = table["instance_per_hour"].get(instance_type)
    return HourlyPrice(
        None if one is None else one * instances,
        table["gp3_per_gb_month"] * volume_gb / HOURS_PER_MONTH * instances,
        table["public_ipv4_per_hour"] * instances,
        table["date"],
    )


def reference_cost(seconds: float, volume_gb: float = 100.0) -> float:
    """Return the dollars that `seconds` on the reference type would cost."""
    cost = hourly_price(REFERENCE_TYPE, volume_gb).cost(seconds)
    assert cost is not None
    return cost
