"""What tests order for machines and for the account, beside the faults of AWS itself (faults.py): `orders.json` in the home.

It is read again whenever it matters, so that an order can be given and taken back while machines run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields

from local_aws.home import Home, write_atomically

FILE = "orders.json"


@dataclass(frozen=True)
class Orders:
    """Without orders everything is as it should be."""

    disk_bytes: int | None = None  # the size of the disk of machines that boot from now on (levels with a Debian root)
    metadata_down: bool = False  # the metadata service closes every connection without an answer
    clock_ahead: float = 0.0  # seconds that AWS's clock is ahead of machines' (levels with a network of their own)
    line_bytes_per_second: float | None = None  # what all answers together are sent at
    account_plan: str = "PAID"  # or FREE, which refuses all but the smallest types
    quotas: dict[str, float] = field(
        default_factory=dict
    )  # vCPUs by the code of the quota, instead of what was granted
    not_offered: tuple[str, ...] = ()  # "g4dn.2xlarge in us-east-1b"


def read(home: Home) -> Orders:
    """The present orders."""
    try:
        given = json.loads((home.path / FILE).read_text())
    except FileNotFoundError:
        return Orders()
    return Orders(**{one.name: given[one.name] for one in fields(Orders)})


def give(home: Home, orders: Orders) -> None:
    """Replace the present orders."""
    write_atomically(home.path / FILE, json.dumps(asdict(orders)))
