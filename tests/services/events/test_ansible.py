"""Ansible's own modules find what they made: the second run changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.accounts import Queue

pytestmark = pytest.mark.services


def changes(aws: Any, folder: Path, module: str, **arguments: Any) -> bool:
    """Run a module; whether it changed anything."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", module, "-a", json.dumps(arguments)]
    environment = {**os.environ, **aws.env, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return bool(json.loads(done.stdout[done.stdout.index("{") :])["changed"])


def test_topics_rules_and_notifications(aws: Any, tmp_path: Path) -> None:
    queue = Queue(aws, "q", "s3.amazonaws.com", "events.amazonaws.com")
    aws.client("s3").create_bucket(Bucket="forecasts")
    subscriptions = [{"endpoint": "ada@example.org", "protocol": "email"}, {"endpoint": queue.arn, "protocol": "sqs"}]
    for module, arguments in (
        ("community.aws.sns_topic", {"name": "alerts", "display_name": "Alerts", "subscriptions": subscriptions}),
        (
            "community.aws.s3_bucket_notification",
            {"bucket_name": "forecasts", "event_name": "it", "queue_arn": queue.arn, "prefix": "raw/",
             "events": ["s3:ObjectCreated:*"]},
        ),
        (
            "amazon.aws.cloudwatchevent_rule",
            {"name": "nightly", "schedule_expression": "cron(0 20 * * ? *)", "targets": [{"id": "q", "arn": queue.arn}]},
        ),
    ):  # fmt: skip
        assert changes(aws, tmp_path, module, **arguments)
        assert not changes(aws, tmp_path, module, **arguments)
    aws.advance(86400)
    assert any("Scheduled Event" in body for body in queue.bodies())
