"""Each step runs with its own role's policy and nothing else, on the stack's bucket with its key: the policies are enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.testing import EmbeddedAws
from tests.integration.test_access_of_volatility import BUCKET, DATA, TABLE, Account

ROOT = Path(__file__).resolve().parents[3]
FRIDAY, MONDAY = "2006-12-08T18:05-05:00", "2006-12-11T18:05-05:00"
# What the API reads for its answers: the model and its golden forecast, the last forecast, and the nearest one to a date.
API = """
import sys
from chronos_volatility.serving.mirror import Mirror
from chronos_volatility.serving.models import Models, described
from chronos_volatility.serving.predictions import Stored
from chronos_volatility.storage import open_storage
storage = open_storage(sys.argv[1])
models, stored = Models(storage), Stored(storage)
found = Mirror(sys.argv[2], stored)
print(models.check_golden(), described(models.serving(), storage)["serving_since"], found.latest().as_of_date,
      stored.latest().as_of_date, found.of("2006-12-07"), found.nearest("2006-12-10"))
"""
WATCH = """
import sys
from datetime import datetime
from chronos_volatility import settings
from chronos_volatility.calendar import get_calendar
from chronos_volatility.service.watch import measure
from chronos_volatility.storage import open_storage
storage = open_storage(sys.argv[1])
known = settings.of(storage)
print(measure(storage, get_calendar(known.calendar, known.closed), datetime.fromisoformat(sys.argv[2])))
"""
PLACE = f"s3://{BUCKET}"

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


class Steps:
    """The steps as their command lines, each with the keys of a user who has its role's policy and nothing else."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._account = Account(aws)
        command = [sys.executable, ROOT / "tools/volatility_env.py"]
        self._python = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self._keys = {who: self._account.user(self._account.roles[who]["policy"]) for who in DATA}

    def python(self, who: str, *words: str) -> str:
        keys = self._keys[who]
        env = {
            **os.environ, **self._account.aws.env, "PYTHONPATH": "", "VOLATILITY_MIRROR": TABLE,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        }  # fmt: skip
        done = subprocess.run([self._python, *words], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{who}: {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, who: str, step: str, now: str, *words: str) -> str:
        return self.python(who, "-m", "chronos_volatility.cli", step, "--data", PLACE, "--now", now, *words)


def test_a_short_history_is_ingested_and_watched(aws: EmbeddedAws) -> None:
    steps = Steps(aws)
    steps.run("ingest", "ingest", FRIDAY, "--first", "2006-06-01")
    steps.run("features", "features", FRIDAY)
    steps.run("features", "labels", FRIDAY)
    assert "Nothing is wrong." in steps.run("check", "check", FRIDAY)
    assert "'SourceLagSessions': 0.0" in steps.python("check", "-c", WATCH, PLACE, FRIDAY)


def test_a_model_is_trained_promoted_and_served(aws: EmbeddedAws) -> None:
    """The gate wants a thousand sessions out of sample after four years, hence the minutes."""
    steps = Steps(aws)
    steps.run("ingest", "ingest", FRIDAY, "--first", "1998-01-02")
    steps.run("features", "features", FRIDAY)
    steps.run("features", "labels", FRIDAY)
    steps.run("training", "train", FRIDAY)
    steps.run("gate", "gate", FRIDAY)
    for now in (FRIDAY, MONDAY, MONDAY):  # the third time it finds what was done
        steps.run("ingest", "ingest", now)
        steps.run("features", "features", now)
        steps.run("features", "labels", now)
        steps.run("infer", "infer", now)
        steps.run("check", "check", now)
    said = steps.python("api", "-c", API, PLACE, TABLE)
    assert said.split()[2:] == ["2006-12-11", "2006-12-11", "None", "2006-12-11"], said
