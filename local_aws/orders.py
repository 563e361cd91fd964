"""What tests order for machines, beside the faults of AWS itself (faults.py): `orders.json` in the home.

It is read again whenever it matters, so that an order can be given and taken back while machines run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from local_aws.home import Home, write_atomically

FILE = "orders.json"


@dataclass(frozen=True)
class Orders:
    """Without orders everything is as it should be."""

    disk_bytes: int | None = None  # the size of the disk of machines that boot from now on (levels with a Debian root)
    metadata_down: bool = False  # the metadata service closes every connection without an answer
    clock_ahead: float = 0.0  # seconds that AWS's clock is ahead of machines' (levels with a network of their own)
    line_bytes_per_second: float | None = None  # what all answers together are sent at


def read(home: Home) -> Orders:
    """The present orders."""
    try:
        given = json.loads((home.path / FILE).read_text())
    except FileNotFoundError:
        return Orders()
    return Orders(**{field.name: given[field.name] for field in fields(Orders)})


def give(home: Home, orders: Orders) -> None:
    """Replace the present orders."""
    write_atomically(home.path / FILE, json.dumps(asdict(orders)))
