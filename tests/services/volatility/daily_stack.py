"""A volatility stack as a person makes it, by the playbooks, and what is looked at in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from local_aws.testing import EmbeddedAws

ROOT = Path(__file__).resolve().parents[3]
NEW_YORK = ZoneInfo("America/New_York")
PREFIX, ENV = "volatility-local", "local"
CHAIN = f"arn:aws:states:us-east-1:123456789012:stateMachine:{PREFIX}-daily"
BUCKET = f"{PREFIX}-123456789012-us-east-1"
# The walk-forward begins after four years; the gate asks for 1,000 sessions of it. Two months of them are still to come.
SESSIONS = 2070
TABLES = ("raw.market", "curated.market_daily", "features_daily", "labels_daily", "predictions_daily")


@contextmanager
def kept_warm(home: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS whose functions stay warm over weeks, so that weeks take minutes."""
    with patch.dict(os.environ, {"LOCAL_AWS_LAMBDA_IDLE_SECONDS": str(90 * 24 * 3600)}):
        aws = EmbeddedAws(home)
        try:
            yield aws
        finally:
            aws.stop()


class Stack:
    """The stack of the environment local in one embedded AWS."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws

    # By playbooks.

    def play(self, playbook: str, *, fails: bool = False, **variables: Any) -> str:
        """Run a playbook; return what it printed."""
        command = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{playbook}.yml"]
        environment = os.environ | self.aws.env | {"NO_COLOR": "1"}
        words = ["-e", json.dumps(variables)] if variables else []
        done = subprocess.run(
            [*command, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert bool(done.returncode) == fails, said
        return said

    def provision(self, **deployed: Any) -> None:
        """From an empty account to a deployed stack."""
        for playbook in ("provision_infrastructure", "provision_volatility", "publish_images"):
            self.play(playbook)
        self.play("deploy_volatility", **deployed)

    def call(self, step: str, **event: Any) -> dict[str, Any]:
        """Call one of the chain's functions as a person does."""
        event = {"time": f"{self.aws.now():%Y-%m-%dT%H:%M:%SZ}", **event}
        answer = self.aws.client("lambda").invoke(FunctionName=f"{PREFIX}-{step}", Payload=json.dumps(event).encode())
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return dict(said)

    # Executions.

    def start(self, **event: Any) -> str:
        """Start the chain as a schedule does; return the execution."""
        event = {"time": f"{self.aws.now():%Y-%m-%dT%H:%M:%SZ}", **event}
        sfn = self.aws.client("stepfunctions")
        return str(sfn.start_execution(stateMachineArn=CHAIN, input=json.dumps(event))["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait until everything has come to rest; what the execution came to."""
        self.aws.advance()
        return dict(self.aws.client("stepfunctions").describe_execution(executionArn=execution))

    def states(self, execution: str) -> list[str]:
        """The states that an execution went through."""
        pages = self.aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def executions(self) -> list[dict[str, Any]]:
        """All executions, the oldest first."""
        pages = self.aws.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=CHAIN)
        return sorted((one for page in pages for one in page["executions"]), key=lambda one: one["startDate"])

    def advance_to(self, day: str, clock: str) -> None:
        """Let time pass until a time of day in New York."""
        hour, minute = (int(part) for part in clock.split(":"))
        moment = datetime.fromisoformat(day).replace(hour=hour, minute=minute, tzinfo=NEW_YORK)
        self.aws.advance(to=moment)

    # What is stored.

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def etags(self) -> dict[str, str]:
        """What is stored, by key."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", [])}

    def store(self, folder: Path) -> None:
        """Put all files of a folder into the bucket."""

        def put(path: Path) -> None:
            self.aws.client("s3").put_object(Bucket=BUCKET, Key=str(path.relative_to(folder)), Body=path.read_bytes())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, (one for one in sorted(folder.rglob("*")) if one.is_file())))

    def predicted(self) -> list[str]:
        """The sessions with a forecast, once for each partition."""
        return re.findall(r"date=(\S{10})/", " ".join(self.keys("predictions_daily/date=")))

    def champion(self) -> str:
        body = self.aws.client("s3").get_object(Bucket=BUCKET, Key="models/champion.json")["Body"].read()
        return str(json.loads(body)["version"])

    def tasks(self) -> list[dict[str, Any]]:
        """The training tasks that ECS still tells of."""
        ecs = self.aws.client("ecs")
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=PREFIX, desiredStatus=status)["taskArns"]
        ]
        return list(ecs.describe_tasks(cluster=PREFIX, tasks=arns)["tasks"]) if arns else []

    def metric(self, name: str, day: str) -> list[float]:
        """The data of a metric on a day."""
        begin = datetime.fromisoformat(day).replace(tzinfo=NEW_YORK)
        found = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace="Volatility", MetricName=name, Dimensions=[{"Name": "Environment", "Value": ENV}],
            StartTime=begin, EndTime=begin + timedelta(days=1), Period=60, Statistics=["Maximum"],
        )  # fmt: skip
        return [one["Maximum"] for one in sorted(found["Datapoints"], key=lambda one: one["Timestamp"])]


class Uploads:
    """Prices that somebody puts into the bucket, up to a session."""

    def __init__(self, stack: Stack, folder: Path, count: int, closed: tuple[str, ...] = ()) -> None:
        self._stack, self.file, self._count, self._closed = stack, folder / "prices.csv", count, closed

    @cached_property
    def _days(self) -> tuple[dict[str, bool], list[str]]:
        today = str(self._stack.aws.now().astimezone(NEW_YORK).date())
        found = by_volatility("uploads.py", str(self.file), str(self._count), today, *self._closed)
        return json.loads(found)  # type: ignore[no-any-return]

    @property
    def sessions(self) -> dict[str, bool]:
        """The sessions of the last two and the next two months; whether each ends a week."""
        return self._days[0]

    @property
    def early(self) -> list[str]:
        """Those of them that close early."""
        return self._days[1]

    @property
    def first(self) -> str:
        """The first session that there are prices of."""
        assert self.sessions
        return self.file.read_text().splitlines()[1][:10]

    def settings(self) -> dict[str, Any]:
        """What a stack is deployed with that has these prices alone."""
        return {
            "target": "SPX", "required": ["SPX"], "optional": [], "sources": ["uploaded"],
            "first_session": self.first, "closed": list(self._closed),
        }  # fmt: skip

    def history(self, folder: Path, session: str) -> Path:
        """Fill a folder with the days until a session, and a model that serves; return it."""
        by_volatility("history.py", str(folder), str(self.file), session, json.dumps(self.settings()))
        return folder

    def until(self, session: str, **restated: float) -> None:
        """Upload everything up to a session; `restated` has the share by which the prices of a session are others now."""
        assert session in self.sessions
        header, *rows = self.file.read_text().splitlines()
        kept = [header, *(_restated(row, restated.get(row[:10], 0.0)) for row in rows if row[:10] <= session)]
        self._stack.aws.client("s3").put_object(Bucket=BUCKET, Key="uploads/SPX.csv", Body="\n".join(kept).encode())

    def none(self) -> None:
        """The source is down: there is no file."""
        self._stack.aws.client("s3").delete_object(Bucket=BUCKET, Key="uploads/SPX.csv")


def by_volatility(file: str, *words: str) -> str:
    """Run a file of this folder in the environment of volatility/; return what it printed."""
    python = subprocess.run(
        [sys.executable, ROOT / "tools/volatility_env.py"], check=True, capture_output=True, text=True
    ).stdout.strip()
    command = [python, str(Path(__file__).with_name(file)), *words]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _restated(row: str, by: float) -> str:
    if not by:
        return row
    day, *prices, volume, dividend, split = row.split(",")
    return ",".join([day, *(f"{float(price) * (1 + by):.6f}" for price in prices), volume, dividend, split])
