"""The daily chain of the volatility stack on AWS's clock, from an empty account, made and used by the playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.testing import EmbeddedAws, wait_for
from tests.services.volatility.daily_stack import BUCKET, ROOT, Stack, Uploads

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

# The walk-forward begins after four years; the gate asks for 1,000 sessions of it.
SESSIONS = 2070
SETTINGS = {"target": "SPX", "required": ["SPX"], "optional": [], "sources": ["uploaded"]}


def test_a_source_that_is_down_and_a_training_that_spot_takes_back(aws: EmbeddedAws, tmp_path: Path) -> None:
    stack = Stack(aws)
    uploads = Uploads(stack, tmp_path, SESSIONS)
    today = f"{aws.now():%Y-%m-%d}"
    past = [one for one in uploads.sessions if one < today]
    first_row = (tmp_path / "prices.csv").read_text().splitlines()[1][:10]
    deployed = {
        "volatility_pipeline_settings": {**SETTINGS, "first_session": first_row},
        "volatility_pipeline_source_wait_seconds": 4 * 3600,
        "volatility_pipeline_scheduled": False,
    }
    stack.provision(**deployed)
    assert "changed=0" in stack.play("deploy_volatility", **deployed)

    # Nothing is there: the source is down, and a session of the past is not waited for.
    begin = past[-30]
    execution = stack.start(date=begin, train=True)
    found = stack.ended(execution)
    assert (found["status"], found["error"]) == ("FAILED", "SourceDown")
    assert "SPX missing on the session that is due (s3://" in found["cause"]
    assert found["cause"].count("uploads/SPX.csv is not there") == 1 and "stackTrace" not in found["cause"]
    assert not stack.keys("raw.market")

    # The first training: Spot takes it back, and it runs once more on Fargate. Too short a history: the gate refuses all.
    uploads.until(begin)
    execution = stack.start(date=begin, train=True)
    [task] = wait_for(
        lambda: [one for one in stack.tasks() if one["lastStatus"] == "RUNNING"], "the training", timeout=600
    )
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    interrupt(aws, task["taskArn"])
    found = stack.ended(execution)
    assert (found["status"], found["error"]) == ("FAILED", "ConfigurationError")
    assert "no model passed the gate yet" in found["cause"]
    ways = {one.get("capacityProviderName", "FARGATE"): one for one in stack.tasks()}
    assert ways["FARGATE_SPOT"]["stopCode"] == "SpotInterruption"
    assert [one["exitCode"] for one in ways["FARGATE"]["containers"]] == [0]
    [decision] = [key for key in stack.keys("gate/") if "canary" not in key]
    refused = json.loads(aws.client("s3").get_object(Bucket=BUCKET, Key=decision)["Body"].read())
    assert refused["action"] == "keep"


def interrupt(aws: EmbeddedAws, task: str) -> None:
    command = [sys.executable, "-m", "local_aws", "spot-notice", task]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | aws.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
