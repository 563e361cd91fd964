"""A volatility stack as a person makes it, by the playbooks, and what is looked at in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from local_aws.testing import EmbeddedAws

ROOT = Path(__file__).resolve().parents[3]
NEW_YORK = ZoneInfo("America/New_York")
PREFIX, ENV = "volatility-local", "local"
CHAIN = f"arn:aws:states:us-east-1:123456789012:stateMachine:{PREFIX}-daily"
BUCKET = f"{PREFIX}-123456789012-us-east-1"


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

    def __init__(self, stack: Stack, folder: Path, count: int) -> None:
        self._stack, self._file, self._count = stack, folder / "prices.csv", count

    @cached_property
    def sessions(self) -> dict[str, bool]:
        """The sessions of the last two and the next two months; whether each ends a week."""
        python = subprocess.run(
            [sys.executable, ROOT / "tools/volatility_env.py"], check=True, capture_output=True, text=True
        ).stdout.strip()
        today = str(self._stack.aws.now().astimezone(NEW_YORK).date())
        words = [python, str(Path(__file__).with_name("uploads.py")), str(self._file), str(self._count), today]
        environment = os.environ | {"PYTHONPATH": ""}
        said = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout
        return dict(json.loads(said))

    def until(self, session: str) -> None:
        """Upload everything up to a session."""
        assert session in self.sessions
        header, *rows = self._file.read_text().splitlines()
        kept = [header, *(row for row in rows if row[:10] <= session)]
        self._stack.aws.client("s3").put_object(Bucket=BUCKET, Key="uploads/SPX.csv", Body="\n".join(kept).encode())
