"""Prices from the AWS Price List API, as the table `core/prices.json` keeps them.

The API (GetProducts, which has endpoints in few regions only) answers with products as JSON texts; each has its terms, and
each term its price dimensions. Source: the AWS Price List Query API's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

Json = dict[str, Any]
# Where the API lives, whatever region the prices are of.
ENDPOINT_REGION = "us-east-1"
# Of the many prices of a type the plain one: Linux without software, on shared hardware, paid as it is used.
ON_DEMAND_LINUX = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


def look_up(pricing: Any, region: str, instance_types: list[str]) -> Json:
    """Return `instance_per_hour` by type, `gp3_per_gb_month`, `public_ipv4_per_hour`, `s3_per_1000_writes` and `_reads` of `region`, in US dollars.

    A type that the region does not offer is left out. TrainingError when the API refuses, is not to be reached, or has no
    price or several for a disk, an address or a request.
    """
    types = {}
    for kind in instance_types:
        prices = _prices(pricing, "AmazonEC2", {"instanceType": kind, "regionCode": region, **ON_DEMAND_LINUX}, "Hrs")
        if prices:
            types[kind] = _one(prices, f"{kind} in {region}")
    disk = _prices(
        pricing, "AmazonEC2", {"volumeApiName": "gp3", "regionCode": region, "productFamily": "Storage"}, "GB-Mo"
    )
    # In use, not idle: the beginning of the usage type is the region's own abbreviation.
    address = _prices(pricing, "AmazonVPC", {"regionCode": region}, "Hrs", usage="PublicIPv4:InUseAddress")
    writes, reads = (
        _prices(pricing, "AmazonS3", {"regionCode": region, "group": f"S3-API-Tier{tier}"}, "Requests", usage=f"Requests-Tier{tier}")
        for tier in (1, 2)
    )  # fmt: skip
    return {
        "instance_per_hour": types,
        "gp3_per_gb_month": _one(disk, f"gp3 disks in {region}"),
        "public_ipv4_per_hour": _one(address, f"public IPv4 addresses in {region}"),
        "s3_per_1000_writes": round(1000 * _one(writes, f"S3 writes in {region}"), 9),
        "s3_per_1000_reads": round(1000 * _one(reads, f"S3 reads in {region}"), 9),
    }


def _prices(pricing: Any, service: str, wanted: dict[str, str], unit: str, *, usage: str = "") -> set[float]:
    """Return the on-demand prices above zero of the products that match, in dollars per `unit`."""
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    with aws.explained(f"ask the AWS Price List for {service}"):
        pages = pricing.get_paginator("get_products").paginate(
            ServiceCode=service, Filters=filters, FormatVersion="aws_v1"
        )
        products = [json.loads(text) for page in pages for text in page["PriceList"]]
    found = set()
    for product in products:
        if product["product"]["attributes"].get("usagetype", "").endswith(usage):
            found |= {price for price in _on_demand(product, unit) if price > 0}
    return found


def _on_demand(product: Json, unit: str) -> Iterator[float]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension["unit"] == unit and "USD" in dimension["pricePerUnit"]:
                yield float(dimension["pricePerUnit"]["USD"])


def _one(prices: set[float], what: str) -> float:
    if len(prices) != 1:
        seen = "no price" if not prices else f"{len(prices)} prices ({', '.join(f'{one:g}' for one in sorted(prices))})"
        raise TrainingError(f"The AWS Price List has {seen} for {what}; exactly one was expected.")
    return prices.pop()
