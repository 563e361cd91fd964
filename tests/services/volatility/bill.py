"""What thirty sessions used, and what a month of it costs at the prices of the plan's dated table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chronos_training.control.volatility.cost import HOURS_PER_MONTH, SESSIONS, TASK_GB, VCPUS, Line, price_table
from local_aws.testing import EmbeddedAws
from tests.services.volatility.daily_stack import BUCKET, PREFIX, Stack

STEPS = ("ingest", "features", "gate", "infer", "check", "api", "notifier")
WRITES = ("PutObject", "ListObjectsV2", "CopyObject")  # S3 bills a listing as a write
# AWS ends a function's environment after minutes without a call: each execution starts its functions, which are warm here.
START_SECONDS = 10.0


@dataclass
class Used:
    """What the sessions used, as it was counted."""

    sessions: int = 0
    executions: int = 0
    transitions: int = 0
    reads: list[int] = field(default_factory=list)
    """S3 GETs, by what was looked at at a time."""
    writes: int = 0
    tasks: dict[str, float] = field(default_factory=dict)
    """Seconds of each training, by its task."""
    api: int = 0

    def requests(self, aws: EmbeddedAws) -> int:
        """Add the requests to S3 since the last look; return how many GETs they are."""
        found = {(one["caller"], one["operation"]): 0 for one in aws.requests()}
        for one in aws.requests():
            found[one["caller"], one["operation"]] += one["count"]
        aws.forget_requests()
        self.writes += sum(found.get(("instance", f"s3.{name}"), 0) for name in WRITES)
        gets = sum(found.get(("instance", f"s3.{name}"), 0) for name in ("GetObject", "HeadObject"))
        self.reads.append(gets)
        return gets

    def trainings(self, stack: Stack) -> None:
        """Note how long each training took."""
        for one in stack.tasks():
            if "startedAt" in one and "stoppedAt" in one:
                self.tasks[one["taskArn"]] = (one["stoppedAt"] - one["startedAt"]).total_seconds()


def month(stack: Stack, used: Used, begin: datetime) -> list[Line]:
    """Return the bill of a month of 21 sessions."""
    aws, price = stack.aws, price_table()["prices"]
    share = SESSIONS / used.sessions
    invocations, seconds = _functions(aws, begin)
    starts = len(STEPS[:5]) * used.executions * START_SECONDS
    gb_seconds = 2.0 * (seconds + starts) * share
    stored = sum(one["Size"] for one in _objects(aws)) / 1e9
    images = _image_gb(aws)
    hours = sum(used.tasks.values()) / 3600 * share
    task = VCPUS * price["fargate_vcpu_hour"] + TASK_GB * price["fargate_gb_hour"] + price["public_ipv4_hour"]
    reads, writes = sum(used.reads) * share, used.writes * share
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    looked_at = sum(sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1 for alarm in alarms)
    metrics, metric_hours = _metrics(aws, begin)
    secrets = len(aws.client("secretsmanager").list_secrets()["SecretList"])
    logs = sum(one.get("storedBytes", 0) for one in aws.client("logs").describe_log_groups()["logGroups"]) / 1e9
    return [
        Line("key", "1", price["kms_key_month"]),
        Line("secrets", f"{secrets}", secrets * price["secret_month"]),
        Line("bucket", f"{stored:.3f} GB", stored * price["s3_gb_month"]),
        Line("S3 requests", f"{reads:,.0f} reads, {writes:,.0f} writes", reads * price["s3_1000_reads"] / 1000 + writes * price["s3_1000_writes"] / 1000),
        Line("images", f"{images:.2f} GB", images * price["ecr_gb_month"]),
        Line("functions", f"{gb_seconds:,.0f} GB-seconds, {invocations * share:,.0f} requests",
             gb_seconds * price["lambda_gb_second"] + invocations * share * price["lambda_million_requests"] / 1e6),
        Line("training", f"{hours * 60:.1f} minutes of {len(used.tasks)} tasks, without Spot's discount", hours * task),
        Line("chain", f"{used.transitions * share:,.0f} transitions", used.transitions * share * price["states_1000_transitions"] / 1000),
        Line("API", f"{used.api * share:,.0f} requests", used.api * share * price["api_million_requests"] / 1e6),
        Line("alarms", f"{len(alarms)}, on {looked_at} metrics", looked_at * price["alarm_month"]),
        Line("metrics", f"{metrics}, in {metric_hours * share:.0f} hours together", metric_hours * share / HOURS_PER_MONTH * price["metric_month"]),
        Line("logs", f"{logs:.3f} GB", logs * price["logs_gb"]),
    ]  # fmt: skip


def _functions(aws: EmbeddedAws, begin: datetime) -> tuple[float, float]:
    """How often the functions were called, and for how many seconds they worked."""
    found = dict.fromkeys(("Invocations", "Duration"), 0.0)
    for name in found:
        for step in STEPS:
            data = _data(aws, "AWS/Lambda", name, [{"Name": "FunctionName", "Value": f"{PREFIX}-{step}"}], begin, 86400)
            found[name] += sum(one["Sum"] for one in data)
    return found["Invocations"], found["Duration"] / 1000


def _metrics(aws: EmbeddedAws, begin: datetime) -> tuple[int, int]:
    """How many metrics of ours there are, and in how many hours they got data, added up."""
    metrics = aws.client("cloudwatch").list_metrics(Namespace="Volatility")["Metrics"]
    hours = sum(len(_data(aws, "Volatility", one["MetricName"], one["Dimensions"], begin, 3600)) for one in metrics)
    return len(metrics), hours


def _data(
    aws: EmbeddedAws, namespace: str, name: str, dimensions: list[dict[str, str]], begin: datetime, period: int
) -> list[dict[str, Any]]:
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=name, Dimensions=dimensions, StartTime=begin, EndTime=aws.now(),
        Period=period, Statistics=["Sum"],
    )  # fmt: skip
    return list(found["Datapoints"])


def _objects(aws: EmbeddedAws) -> list[dict[str, Any]]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [one for page in pages for one in page.get("Contents", [])]


def _image_gb(aws: EmbeddedAws) -> float:
    ecr = aws.client("ecr")
    repositories = [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]]
    return (
        sum(
            one["imageSizeInBytes"]
            for name in repositories
            for one in ecr.describe_images(repositoryName=name)["imageDetails"]
        )
        / 1e9
    )
