"""The price table is renewed from a server that answers as the AWS Price List API does, and kept when that fails."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chronos_training.cli.refresh_prices import main, refresh
from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

TODAY = date(2026, 7, 1)
BEFORE = json.dumps(
    {
        "date": "2025-11-01", "region": "us-east-1", "note": "",
        "instance_per_hour": {"g4dn.2xlarge": 0.752, "g5.xlarge": 1.006, "m5.large": 0.096},
        "gp3_per_gb_month": 0.08, "public_ipv4_per_hour": 0.005, "s3_per_1000_writes": 0.005, "s3_per_1000_reads": 0.0004,
    }
)  # fmt: skip


def product(
    service: str, attributes: dict[str, str], unit: str, *dollars: str, family: str = "Compute Instance"
) -> Any:
    """Return a product as the API writes it: attributes, and terms that hold price dimensions by opaque codes."""
    sku = f"SKU{abs(hash((service, *sorted(attributes.items()))))}"
    dimensions = {
        f"{sku}.JRTCKXETXF.{number}": {
            "unit": unit, "beginRange": "0", "endRange": "Inf", "description": f"${value} per {unit}",
            "rateCode": f"{sku}.JRTCKXETXF.{number}", "appliesTo": [], "pricePerUnit": {"USD": value},
        }
        for number, value in enumerate(dollars)
    }  # fmt: skip
    term = {"offerTermCode": "JRTCKXETXF", "sku": sku, "termAttributes": {}, "priceDimensions": dimensions}
    return {
        "product": {"productFamily": family, "attributes": {"servicecode": service, **attributes}, "sku": sku},
        "serviceCode": service, "version": "20260630", "publicationDate": "2026-06-30T00:00:00Z",
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
    }  # fmt: skip


def instance(kind: str, dollars: str, **other: str) -> Any:
    attributes = {
        "instanceType": kind, "regionCode": "eu-west-1", "operatingSystem": "Linux", "preInstalledSw": "NA",
        "tenancy": "Shared", "capacitystatus": "Used", "usagetype": f"EU-BoxUsage:{kind}",
    }  # fmt: skip
    return product("AmazonEC2", attributes | other, "Hrs", dollars)


def catalogue() -> list[Any]:
    region = {"regionCode": "eu-west-1"}
    return [
        instance("m5.large", "0.1070000000"),
        instance("m5.large", "0.1990000000", operatingSystem="Windows"),
        instance("m5.large", "0.0000000000", capacitystatus="AllocatedCapacityReservation"),
        instance("m5.large", "0.1180000000", tenancy="Dedicated"),
        instance("m5.large", "0.0960000000", regionCode="us-east-1"),
        instance("g4dn.2xlarge", "0.8390000000"),
        product("AmazonEC2", {**region, "volumeApiName": "gp3", "usagetype": "EU-EBS:VolumeUsage.gp3"},
                "GB-Mo", "0.0880000000", family="Storage"),
        product("AmazonEC2", {**region, "volumeApiName": "gp3", "usagetype": "EU-EBS:VolumeP-IOPS.gp3"},
                "IOPS-Mo", "0.0055000000", family="System Operation"),
        product("AmazonVPC", {**region, "usagetype": "EU-PublicIPv4:IdleAddress"}, "Hrs", "0.0060000000", family=""),
        product("AmazonVPC", {**region, "usagetype": "EU-PublicIPv4:InUseAddress"}, "Hrs", "0.0000000000", "0.0050000000"),
        product("AmazonVPC", {**region, "usagetype": "EU-VpcEndpoint-Hours"}, "Hrs", "0.0110000000"),
        product("AmazonS3", {**region, "group": "S3-API-Tier1", "usagetype": "EU-Requests-Tier1"}, "Requests",
                "0.0000054000", family="API Request"),
        product("AmazonS3", {**region, "group": "S3-API-Tier2", "usagetype": "EU-Requests-Tier2"}, "Requests",
                "0.0000004300", family="API Request"),
        product("AmazonS3", {**region, "group": "S3-API-SIA-Tier1", "usagetype": "EU-Requests-SIA-Tier1"}, "Requests",
                "0.0000100000", family="API Request"),
    ]  # fmt: skip


class PriceList(ThreadingHTTPServer):
    """Serves GetProducts: every filter must match; a page has two products, so that there are several pages."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.products: list[Any] = catalogue()
        self.refusal: tuple[int, dict[str, str]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: PriceList

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
        status, answer = self.server.refusal or (200, self._page(order))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self, order: Any) -> Any:
        def matches(one: Any) -> bool:
            has = {**one["product"]["attributes"], "productFamily": one["product"]["productFamily"]}
            return one["serviceCode"] == order["ServiceCode"] and all(
                entry["Type"] == "TERM_MATCH" and has.get(entry["Field"]) == entry["Value"]
                for entry in order["Filters"]
            )

        found = [json.dumps(one) for one in self.server.products if matches(one)]
        begin = int(order.get("NextToken", 0))
        more = {"NextToken": str(begin + 2)} if begin + 2 < len(found) else {}
        return {"FormatVersion": "aws_v1", "PriceList": found[begin : begin + 2], **more}


@pytest.fixture
def prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceList]:
    server = PriceList()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    values = {"AWS_ENDPOINT_URL_PRICING": server.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**values, "AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_session", None)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "prices.json"
    file.write_text(BEFORE)
    return file


def test_the_one_plain_price_of_each_thing_is_taken(prices: PriceList, table: Path) -> None:
    changes = refresh(table, "eu-west-1", TODAY)
    after = json.loads(table.read_text())
    assert after["date"] == "2026-07-01" and after["region"] == "eu-west-1"
    assert after["instance_per_hour"] == {"g4dn.2xlarge": 0.839, "m5.large": 0.107}
    assert (after["gp3_per_gb_month"], after["public_ipv4_per_hour"]) == (0.088, 0.005)
    assert (after["s3_per_1000_writes"], after["s3_per_1000_reads"]) == (0.0054, 0.00043)
    assert "m5.large: $0.096 -> $0.107" in changes
    assert "g5.xlarge: $1.006 -> not offered" in changes  # unknown rather than another region's
    assert not any(line.startswith("public IPv4") for line in changes)


def kept(table: Path) -> bool:
    return table.read_text() == BEFORE and [table] == list(table.parent.iterdir())


def test_a_refusal_keeps_the_old_table_and_says_so(
    prices: PriceList, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "User: arn:aws:iam::1:user/a is not authorized to perform: pricing:GetProducts"
    prices.refusal = (400, {"__type": "AccessDeniedException", "message": said})
    assert main(["--region", "eu-west-1"], table) == 1
    error = capsys.readouterr().err
    assert "Could not ask the AWS Price List for AmazonEC2" in error and "pricing:GetProducts" in error
    assert "The price table is kept as it was: us-east-1, 2025-11-01." in error
    assert kept(table)


def test_a_service_that_is_not_there_keeps_the_old_table(
    prices: PriceList, table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:9")  # nothing listens at the discard port
    assert main([], table) == 1
    assert "kept as it was" in capsys.readouterr().err
    assert kept(table)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda all_: [p for p in all_ if "gp3" not in p["product"]["attributes"]["usagetype"]], "no price for gp3 disks"),
        (lambda all_: [*all_, instance("m5.large", "0.2", usagetype="EU-Other:m5.large")], r"2 prices \(0.107, 0.2\) for m5.large"),
        (lambda all_: [p for p in all_ if "BoxUsage" not in p["product"]["attributes"]["usagetype"]], "none of the table's instance types"),
    ],
)  # fmt: skip
def test_what_is_missing_or_not_clear_is_no_price(prices: PriceList, table: Path, change: Any, says: str) -> None:
    prices.products = change(prices.products)
    with pytest.raises(TrainingError, match=says):
        refresh(table, "eu-west-1", TODAY)
    assert kept(table)


def test_it_says_what_changed(prices: PriceList, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--region", "eu-west-1"], table) == 0
    said = capsys.readouterr().out
    assert said.startswith("price table of eu-west-1, ") and "  g4dn.2xlarge: $0.752 -> $0.839" in said
    assert main([], table) == 0  # the table's own region by now
    assert "no price has changed" in capsys.readouterr().out
