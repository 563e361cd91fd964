"""A deployed stack with a model that serves and the weeks after it, as test_promotion.py and test_operations.py have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from chronos_training.control.volatility import http
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.volatility.daily_stack import BUCKET, NEW_YORK, ROOT, Stack, Uploads
from tests.services.volatility.stack import READER, confirm, mails

SESSIONS = 2150  # so many that the gate had its thousand weeks ago
FRESH = 150  # seconds in which the API looks for another champion, with room for a busy machine


class Service:
    """The stack, and what people do with it."""

    def __init__(self, aws: EmbeddedAws, folder: Path, weeks: int, closed: tuple[str, ...] = ()) -> None:
        """From an empty account. The history ends `weeks` weeks ago; on the days `closed` there is no session."""
        self.aws, self.stack = aws, Stack(aws)
        self.uploads = Uploads(self.stack, folder, SESSIONS, closed)
        yesterday = str((aws.now().astimezone(NEW_YORK) - timedelta(days=1)).date())
        past = [one for one, ends_a_week in self.uploads.sessions.items() if ends_a_week and one <= yesterday]
        self.begin, *self.weeks = past[-weeks - 1 :]
        self.deployed = {
            "volatility_pipeline_settings": self.uploads.settings(),
            "volatility_pipeline_scheduled": False,
            "volatility_alarms_emails": [READER],
        }
        self.stack.provision(**self.deployed)
        confirm(aws)
        self.stack.store(self.uploads.history(folder / "history", self.begin))
        parameter = aws.client("ssm").get_parameter(Name="/volatility/local/api_url")
        self.url = str(parameter["Parameter"]["Value"])
        self.key = http.key_of(aws.client("secretsmanager"), "volatility/local/api-key")

    def sessions_after(self, session: str) -> list[str]:
        """The sessions after one, the next first."""
        return [one for one in self.uploads.sessions if one > session]

    def next_week(self) -> str:
        """The last session of the next week; its prices are there."""
        session = self.weeks.pop(0)
        self.uploads.until(session)
        return session

    def made(self, kind: str, session: str = "") -> str:
        """Make a training of `session` or a model beforehand (trainings.py); return what it printed."""
        python = subprocess.run(
            [sys.executable, ROOT / "tools/volatility_env.py"], check=True, capture_output=True, text=True
        ).stdout.strip()
        command = [python, str(Path(__file__).with_name("trainings.py")), kind, f"s3://{BUCKET}", session]
        environment = os.environ | self.aws.env | {"PYTHONPATH": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def trained(self, kind: str) -> str:
        """The next week with its features and a training; its last session."""
        session = self.next_week()
        for step in ("ingest", "features"):
            self.stack.play("run_volatility", volatility_run_step=step, volatility_run_date=session)
        self.made(kind, session)
        return session

    def run(self, session: str, **more: Any) -> str:
        """Run the chain of a session as a person does."""
        return self.stack.play("run_volatility", volatility_run_date=session, volatility_run_poll_seconds=0.5, **more)

    def ask(self, path: str, body: Any = None) -> http.Answer:
        return http.ask(f"{self.url}{path}", key=self.key, body=body)

    def answers_with(self, version: str) -> None:
        """Wait until the API has found the champion, and see that the model is whole."""
        wait_for(lambda: self.ask("/info").body.get("model_version") == version, f"the API's {version}", timeout=FRESH)
        ready = self.ask("/ready")  # reproduces the golden forecast
        assert (ready.status, ready.body["model_version"]) == (200, version), ready

    def record(self, suffix: str) -> dict[str, Any]:
        """The gate's last record that ends so."""
        key = [one for one in self.stack.keys("gate/") if one.endswith(suffix)][-1]
        return dict(json.loads(self.aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()))

    def history(self) -> list[dict[str, Any]]:
        """The champion's history."""
        body = self.aws.client("s3").get_object(Bucket=BUCKET, Key="models/champion.json")["Body"].read()
        return list(json.loads(body)["history"])

    def alarmed(self, alarm: str, before: int) -> str:
        """The text of the mail of an alarm, the only one since there were `before` mails."""
        self.aws.advance(180)
        subject = f'ALARM: "volatility-local-{alarm}"'
        [text] = [one["text"] for one in mails(self.aws)[before:] if one["subject"].startswith(subject)]
        return str(text)
