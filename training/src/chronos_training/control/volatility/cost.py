"""What the volatility stack costs in a month: list prices of the dated table in `prices.json`, times what a month uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chronos_training.control.text_table import aligned

TABLE_FILE = Path(__file__).parent / "prices.json"
HOURS_PER_MONTH = 730.0
SESSIONS, DAYS, WEEKS = 21, 30.4, 4.35  # of a month
# A session's two executions: the second chance finds everything done. Each step is a function of 2 GB.
STEPS, STEP_SECONDS, STEP_GB, SECOND_CHANCE_SECONDS = 5, 15.0, 2.0, 5.0
TRANSITIONS = 12
# Of a session with its second chance, as tests/services/volatility/test_thirty_sessions.py counts them; a listing costs a write.
S3_READS, S3_WRITES = 600, 150
API_GB, API_SECONDS = 0.5, 0.05
VCPUS, TASK_GB = 2.0, 4.0
# CloudWatch bills a metric for the hours in which it gets data: two in a session, and the watchdog's.
METRICS = 11
# An alarm is billed for each metric that it looks at: fifteen, two of them on two metrics (roles/volatility_alarms).
ALARMS = 17
IMAGES_GB = 1.5
LOGS_GB = 0.05


@dataclass(frozen=True)
class Usage:
    """What a person decides: the switches, and what a month is expected to bring."""

    api_requests: float = 10_000
    training_minutes: float = 15
    data_gb: float = 1
    mirror: bool = False
    macro: bool = False


@dataclass(frozen=True)
class Line:
    """One thing that is paid for."""

    what: str
    how_much: str
    dollars: float


@cache
def price_table() -> dict[str, Any]:
    """Return the table: its `date`, its `region`, and `prices` in US dollars."""
    table: dict[str, Any] = json.loads(TABLE_FILE.read_text(encoding="utf-8"))
    return table


def month(usage: Usage) -> list[Line]:
    """Return what a month costs, line by line, without free tiers but one: an account's first three dashboards."""
    price = price_table()["prices"]
    seconds = SESSIONS * STEPS * (STEP_SECONDS + SECOND_CHANCE_SECONDS) + DAYS * SECOND_CHANCE_SECONDS
    invocations = SESSIONS * STEPS * 2 + DAYS + usage.api_requests
    gb_seconds = seconds * STEP_GB + usage.api_requests * API_SECONDS * API_GB
    hours = WEEKS * usage.training_minutes / 60
    task = VCPUS * price["fargate_vcpu_hour"] + TASK_GB * price["fargate_gb_hour"] + price["public_ipv4_hour"]
    metric_hours = (SESSIONS * 2 + DAYS) / HOURS_PER_MONTH
    secrets = 3 if usage.macro else 2
    mirrored = usage.api_requests * price["dynamodb_million_reads"] + SESSIONS * price["dynamodb_million_writes"]
    storage = usage.data_gb * price["s3_gb_month"]
    requests = SESSIONS * (S3_READS * price["s3_1000_reads"] + S3_WRITES * price["s3_1000_writes"]) / 1000
    api = usage.api_requests * price["api_million_requests"] / 1e6
    computing = gb_seconds * price["lambda_gb_second"] + invocations * price["lambda_million_requests"] / 1e6
    return [
        Line("key", "1", price["kms_key_month"]),
        Line("secrets", f"{secrets}", secrets * price["secret_month"]),
        Line("bucket", f"{usage.data_gb:g} GB, {SESSIONS} sessions", storage + requests),
        Line("images", f"{IMAGES_GB:g} GB", IMAGES_GB * price["ecr_gb_month"]),
        Line("functions", f"{gb_seconds:,.0f} GB-seconds, {invocations:,.0f} requests", computing),
        Line("training", f"{hours * 60:.0f} minutes, at Fargate's price without Spot", hours * task),
        Line("chain and schedules", f"{SESSIONS * 2} executions", SESSIONS * 2 * TRANSITIONS * price["states_1000_transitions"] / 1000),
        Line("API", f"{usage.api_requests:,.0f} requests", api),
        *([Line("table", f"{usage.api_requests:,.0f} reads, {SESSIONS} writes", mirrored / 1e6)] if usage.mirror else []),
        Line("alarms", f"{ALARMS}", ALARMS * price["alarm_month"]),
        Line("metrics", f"{METRICS}, in {metric_hours * HOURS_PER_MONTH:.0f} hours", METRICS * metric_hours * price["metric_month"]),
        Line("logs", f"{LOGS_GB:g} GB", LOGS_GB * price["logs_gb"]),
        Line("dashboard", f"1 of the account's three free ones (${price['dashboard_month']:.2f} beyond them)", 0.0),
    ]  # fmt: skip


def told(usage: Usage, region: str) -> list[str]:
    """Return the cost of a month as lines."""
    table, lines = price_table(), month(usage)
    rows = [["a month of", "", "US dollars"], *[[one.what, one.how_much, f"{one.dollars:.2f}"] for one in lines]]
    rows.append(["together", "", f"{sum(one.dollars for one in lines):.2f}"])
    elsewhere = "" if region == table["region"] else f"; {region} may differ"
    return [*aligned(rows, right=(2,)), f"List prices of {table['region']}, {table['date']}{elsewhere}, without taxes."]
