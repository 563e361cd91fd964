"""Each step runs with its own role's policy and nothing else, on the stack's bucket with its key: the policies are enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.testing import EmbeddedAws
from tests.integration.test_access_of_volatility import BUCKET, TABLE, Account

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
CLI = ("-m", "chronos_volatility.cli")

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


def test_each_step_runs_with_its_role_alone(aws: EmbeddedAws) -> None:
    account, place = Account(aws), f"s3://{BUCKET}"
    found = subprocess.run(
        [sys.executable, ROOT / "tools/volatility_env.py"], check=True, capture_output=True, text=True
    )
    python = found.stdout.strip()
    keys = {who: account.user(account.roles[who]["policy"]) for who in
            ("ingest", "features", "training", "gate", "infer", "check", "api")}  # fmt: skip

    def run(who: str, *words: str) -> str:
        env = {
            **os.environ, **aws.env, "PYTHONPATH": "", "VOLATILITY_MIRROR": TABLE,
            "AWS_ACCESS_KEY_ID": keys[who]["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys[who]["SecretAccessKey"],
        }  # fmt: skip
        done = subprocess.run([python, *words], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{who}: {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def step(who: str, name: str, now: str, *words: str) -> None:
        run(who, *CLI, name, "--data", place, "--now", now, *words)

    step("ingest", "ingest", FRIDAY, "--first", "1998-01-02")
    step("features", "features", FRIDAY)
    step("features", "labels", FRIDAY)
    step("training", "train", FRIDAY)
    step("gate", "gate", FRIDAY)
    step("infer", "infer", FRIDAY)
    step("check", "check", FRIDAY)
    for who, name in (
        ("ingest", "ingest"), ("features", "features"), ("features", "labels"), ("infer", "infer"), ("check", "check"),
    ):  # fmt: skip
        step(who, name, MONDAY)
        step(who, name, MONDAY)  # again: it finds what was done
    said = run("api", "-c", API, place, TABLE)
    assert said.split()[2:] == ["2006-12-11", "2006-12-11", "None", "2006-12-11"], said
