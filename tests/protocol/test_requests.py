"""What a run costs in requests: at the real intervals heartbeats and progress stay under five a minute; watcher and logs apart."""

from __future__ import annotations

import json
import time

import pytest

from chronos_training.core import layout
from tests.protocol import whole_run
from tests.protocol.crash_account import BUCKET, ENV, CrashAccount
from tests.protocol.summary import say

HEARTBEAT = 30.0  # the default of training_launch_heartbeat_seconds
SECONDS = 90.0
LIMIT = 5.0  # requests a minute


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    account = CrashAccount(tmp_path_factory.mktemp("requests") / "home")
    yield account
    account.close()


def rate(requests: list[dict], where: str, operation: str = "") -> float:
    """Return how many requests a minute the instance sent to keys that begin with `where`."""
    mine = [r for r in requests if r["caller"] == "instance" and r["operation"].endswith(operation)]
    return sum(r["count"] for r in mine if r["where"].startswith(where)) * 60 / SECONDS


@pytest.mark.protocol
def test_heartbeats_and_progress_stay_under_five_requests_a_minute(account):
    published = whole_run.publish(account, seconds=SECONDS + 20)
    assert whole_run.launch(account, published, deadline=600.0, heartbeat=HEARTBEAT).exit == 0
    deadline = time.monotonic() + 60
    while (account.see().state or {}).get("current_step") != "training":
        assert time.monotonic() < deadline, account.see()
        time.sleep(0.5)
    account.aws.forget_requests()
    time.sleep(SECONDS)
    counted = account.aws.requests()
    writes, looks = (rate(counted, "local/system-state.json", operation) for operation in ("PutObject", "GetObject"))
    logs = rate(counted, "local/logs/")
    others = rate(counted, "") - writes - looks - logs
    assert whole_run.wait_for_end(account, 120)
    say(
        f"requests: during training, by the minute, at the real intervals (heartbeat {HEARTBEAT:.0f} s, watcher 20 s, "
        f"logs 10 s): {writes:.1f} for heartbeats and progress, {looks:.1f} for the watcher, {logs:.1f} for logs, "
        f"{others:.1f} others"
    )
    assert 0 < writes < LIMIT
    assert looks <= LIMIT
    assert others < 1


def test_a_whole_run_is_counted(account):
    published = whole_run.publish(account)
    account.aws.forget_requests()
    assert whole_run.launch(account, published, heartbeat=HEARTBEAT).exit == 0
    assert whole_run.wait_for_end(account, 60)
    archived = account.archived(account.last_run)
    assert archived is not None and archived["status"] == "completed", archived
    counted = account.aws.requests()
    by_service = {
        (caller, service): sum(
            r["count"] for r in counted if r["caller"] == caller and r["operation"].startswith(f"{service}.")
        )
        for caller, service in (("instance", "s3"), ("instance", "ec2"))
    }
    say(
        f"requests: a whole run of three data files and two results: {by_service['instance', 's3']} of S3, "
        f"{by_service['instance', 'ec2']} of EC2 from the instance"
    )
    # A request more for each part of the run would be noticed here.
    assert by_service["instance", "s3"] < 60
    assert by_service["instance", "ec2"] <= 3
    key = layout.run_prefix(ENV, account.last_run) + "training.json"
    told = json.loads(account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())["cost"]["requests"]
    charged = sum(
        r["count"]
        for r in counted
        if r["caller"] == "instance" and r["operation"].startswith("s3.") and not r["operation"].startswith("s3.Delete")
    )
    # The bootstrap's and the watcher's reads are not counted, and the last logs and records come after the count.
    assert 20 < sum(told.values()) <= charged <= sum(told.values()) + 12, (told, charged)
