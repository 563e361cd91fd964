"""Ansible's own modules for machines, log groups, metric filters and alarms: they find what they made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.stepfunctions.conftest import Machines

pytestmark = pytest.mark.services


def changes(aws: EmbeddedAws, folder: Path, module: str, **arguments: Any) -> bool:
    """Run a module; whether it changed anything."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", module, "-a", json.dumps(arguments)]
    environment = {**os.environ, **aws.env, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return bool(json.loads(done.stdout[done.stdout.index("{") :])["changed"])


def test_the_second_time_nothing_changes(aws: EmbeddedAws, machines: Machines, tmp_path: Path) -> None:
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    role = machines.role(name="chain")
    definition = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    once: list[tuple[str, dict[str, Any]]] = [
        (
            "community.aws.stepfunctions_state_machine",
            {"name": "daily", "definition": definition, "role_arn": role, "tags": {"Stack": "v"}},
        ),
        ("amazon.aws.cloudwatchlogs_log_group", {"log_group_name": "/daily", "retention": 30}),
        (
            "amazon.aws.cloudwatchlogs_log_group_metric_filter",
            {
                "log_group_name": "/daily",
                "filter_name": "errors",
                "filter_pattern": "ERROR",
                "state": "present",
                "metric_transformation": {
                    "metric_name": "Errors",
                    "metric_namespace": "App",
                    "metric_value": "1",
                    "default_value": 0,
                },
            },
        ),
        (
            "amazon.aws.cloudwatch_metric_alarm",
            {
                "name": "errors",
                "metric_name": "Errors",
                "namespace": "App",
                "statistic": "Sum",
                "comparison": "GreaterThanThreshold",
                "threshold": 0.0,
                "period": 300,
                "evaluation_periods": 1,
                "treat_missing_data": "notBreaching",
                "alarm_actions": [topic],
                "description": "errors in the log",
                "unit": "Count",
                "state": "present",
            },
        ),
    ]
    for module, arguments in once:
        assert changes(aws, tmp_path, module, **arguments), module
        assert not changes(aws, tmp_path, module, **arguments), module
    changed = definition.replace("Succeed", "Fail")
    assert changes(aws, tmp_path, once[0][0], **{**once[0][1], "definition": changed})
    assert changes(aws, tmp_path, once[3][0], **{**once[3][1], "threshold": 5.0})
    for module, key, name in (
        (once[0][0], "name", "daily"),
        (once[3][0], "name", "errors"),
        (once[1][0], "log_group_name", "/daily"),
    ):
        assert changes(aws, tmp_path, module, **{key: name}, state="absent"), module
