"""Renews the price table from the AWS Price List API: `python -m chronos_training.cli.refresh_prices [--region eu-west-1]`.

Keeps the table as it is, and says so, when the API cannot be reached or does not give every price. Needs the permission
pricing:GetProducts.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from chronos_training.control.launch.price_list import ENDPOINT_REGION, look_up
from chronos_training.core import aws
from chronos_training.core.clock import utc_now
from chronos_training.core.cost import TABLE_FILE
from chronos_training.core.errors import TrainingError
from chronos_training.core.output import run

NOTE = "On-demand Linux prices in US dollars, from the AWS Price List API."


def refresh(file: Path, region: str | None, today: date) -> list[str]:
    """Write the prices of `region` (default: the table's own) into the table `file`; return what changed, one line each.

    TrainingError when a price is not available; the file then stays as it was. In another region the types that it does
    not offer leave the table, so that their price is unknown rather than another region's.
    """
    before: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    where = region or before["region"]
    pricing = aws.client("pricing", region=ENDPOINT_REGION)
    prices = look_up(pricing, where, list(before["instance_per_hour"]))
    if not prices["instance_per_hour"]:
        raise TrainingError(
            f"The AWS Price List has none of the table's instance types in {where!r}.",
            hint="Check the region's name, which looks like eu-west-1.",
        )
    after = {"date": today.isoformat(), "region": where, "note": NOTE, **prices}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(after, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)
    return _changes(before, after)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    old, new = _flat(before), _flat(after)
    return [
        f"{name}: {_price(old.get(name))} -> {_price(new.get(name))}"
        for name in [*old, *(name for name in new if name not in old)]
        if old.get(name) != new.get(name)
    ]


def _flat(table: dict[str, Any]) -> dict[str, float]:
    return {
        **table["instance_per_hour"],
        "gp3, a GB and month": table["gp3_per_gb_month"],
        "public IPv4, an hour": table["public_ipv4_per_hour"],
        "S3, 1,000 writes": table["s3_per_1000_writes"],
        "S3, 1,000 reads": table["s3_per_1000_reads"],
    }


def _price(dollars: float | None) -> str:
    return "not offered" if dollars is None else f"${dollars:g}"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="refresh_prices", description="Update the price table from the AWS Price List.")
    made.add_argument("--region", help="region of the prices; default: the table's region")
    return made


def main(arguments: list[str] | None = None, file: Path = TABLE_FILE) -> int:
    """Do what the module says. Returns 0, and 1 when the old table was kept."""
    region = parser().parse_args(arguments).region
    try:
        changes = refresh(file, region, utc_now().date())
    except TrainingError as error:
        kept = json.loads(file.read_text(encoding="utf-8"))
        print(f"{error}\nThe price table is kept as it was: {kept['region']}, {kept['date']}.", file=sys.stderr)
        return 1
    renewed = json.loads(file.read_text(encoding="utf-8"))
    print(f"price table of {renewed['region']}, {renewed['date']}: {file}")
    print("\n".join(f"  {line}" for line in changes) or "  no price has changed")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
