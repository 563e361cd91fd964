"""What a run costs: instance, volume and public address by the hour, from the dated table in `prices.json` (C10)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

HOURS_PER_MONTH = 730.0  # AWS's own convention for gp3 prices
REFERENCE_TYPE = "g4dn.2xlarge"
GIVEN = "set in the inventory"
TABLE_FILE = Path(__file__).parent / "prices.json"
# AWS changes prices of existing types rarely; half a year is when they are worth looking up again.
OLD_DAYS = 180
LEAST_BILLED_SECONDS = 60.0


def billed_seconds(seconds: float) -> float:
    """Return the seconds that EC2 bills for `seconds` of life: by the second, a minute at least."""
    return max(LEAST_BILLED_SECONDS, seconds)


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

    def seconds_for(self, dollars: float) -> float:
        """Return how long `dollars` pay for, infinite at no price. ValueError when the price is unknown."""
        if self.total is None:
            raise ValueError("the price is unknown")
        return math.inf if self.total == 0 else dollars / self.total * 3600.0

    def parts(self) -> dict[str, float | None]:
        """Return the dollars per hour as a run spec keeps them: instances, volumes, addresses, total."""
        return {"instances": self.instance, "volumes": self.volume, "addresses": self.address, "total": self.total}


@cache
def price_table() -> dict[str, Any]:
    """Return the table: `instance_per_hour`, `gp3_per_gb_month`, `public_ipv4_per_hour`, `s3_per_1000_writes` and `_reads` in US dollars, its `date`."""
    table: dict[str, Any] = json.loads(TABLE_FILE.read_text(encoding="utf-8"))
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
        return HourlyPrice(override * instances, 0.0, 0.0, GIVEN)
    one = table["instance_per_hour"].get(instance_type)
    return HourlyPrice(
        None if one is None else one * instances,
        table["gp3_per_gb_month"] * volume_gb / HOURS_PER_MONTH * instances,
        table["public_ipv4_per_hour"] * instances,
        table["date"],
    )


def request_prices(override: float | None = None) -> dict[str, float]:
    """Return the dollars of one S3 request of each class; nothing when `override` is a price with all included."""
    table = price_table()
    if override is not None:
        return {"writes": 0.0, "reads": 0.0}
    return {"writes": table["s3_per_1000_writes"] / 1000, "reads": table["s3_per_1000_reads"] / 1000}


def dearest(prices: list[HourlyPrice]) -> HourlyPrice:
    """Return the price that a launch must reckon with: the highest, and an unknown one before all."""
    return max(prices, key=lambda price: math.inf if price.total is None else price.total)


def table_doubts(region: str, today: date, table: dict[str, Any]) -> list[str]:
    """Return, as sentences, why the prices of `table` may not be those of a run in `region`; empty when they are."""
    doubts = []
    age = (today - date.fromisoformat(table["date"])).days
    if age > OLD_DAYS:
        doubts.append(f"The price table is {age} days old ({table['date']}).")
    if table["region"] != region:
        doubts.append(f"The price table is for {table['region']}, but this run is in {region}.")
    return doubts


def reference_cost(seconds: float, volume_gb: float = 100.0) -> float:
    """Return the dollars that `seconds` on the reference type would cost."""
    cost = hourly_price(REFERENCE_TYPE, volume_gb).cost(seconds)
    assert cost is not None
    return cost
