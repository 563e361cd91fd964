"""The volatility stack's alarms in an account of their own, set up by the roles, with stand-ins for what they watch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.integration.test_provision import play
from tests.services.awslambda.functions import archive

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "volatility-local"
READER = "ada@example.org"
PLAYBOOK = """---
- name: Alarms
  hosts: localhost
  gather_facts: false
  roles:
    - role: training_inputs
    - role: volatility_inputs
    - role: volatility_storage
    - role: volatility_identity
    - role: volatility_alarms
"""
ADMINISTRATORS = ("volatility_storage", "volatility_identity")
Json = dict[str, Any]


def only(*roles: str) -> str:
    """The playbook without the roles of others than these."""
    ours = (*ADMINISTRATORS, "volatility_alarms")
    return "".join(
        line for line in PLAYBOOK.splitlines(keepends=True) if line.split()[-1] not in set(ours) - set(roles)
    )


def deploy(aws: Any, *arguments: str, playbook: str = PLAYBOOK) -> str:
    """Run the roles; return what they printed."""
    emails = json.dumps({"volatility_alarms_emails": [READER]})
    status, output = play(aws, playbook, "-e", emails, *arguments)
    assert status == 0, output
    return output


def mails(aws: Any) -> list[Json]:
    """Every mail there is, the oldest first, once everything has arrived."""
    aws.advance(0.001)
    command = [sys.executable, "-m", "local_aws", "mail", "--json"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **aws.env}, text=True, capture_output=True, check=True)
    return list(json.loads(done.stdout))


def confirm(aws: Any) -> None:
    """Follow the link of the first mail, as the reader does."""
    [asked] = mails(aws)
    found = re.search(r"http://\S+", asked["text"])
    assert found, asked
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(found[0]) as answer:
        assert b"SubscriptionArn" in answer.read()


def measured(aws: Any, **values: float) -> None:
    """What the check writes into its log: metrics of the environment."""
    data = [
        {"MetricName": name, "Value": value, "Dimensions": [{"Name": "Environment", "Value": "local"}]}
        for name, value in values.items()
    ]
    aws.client("cloudwatch").put_metric_data(Namespace="Volatility", MetricData=data)


def function(aws: Any, name: str, code: str, **more: Any) -> None:
    """A stand-in for one of the stack's functions, with that one's role."""
    group = f"/aws/lambda/{PREFIX}-{name}"
    aws.client("logs").create_log_group(logGroupName=group)
    client = aws.client("lambda")
    client.create_function(
        FunctionName=f"{PREFIX}-{name}",
        Runtime="python3.12",
        Handler="app.handler",
        Role=aws.client("iam").get_role(RoleName=f"{PREFIX}-{name}")["Role"]["Arn"],
        Code={"ZipFile": archive(code)},
        **more,
    )
    aws.advance(1)


def state(aws: Any, name: str) -> str:
    """The state of an alarm."""
    [alarm] = aws.client("cloudwatch").describe_alarms(AlarmNames=[f"{PREFIX}-{name}"])["MetricAlarms"]
    return str(alarm["StateValue"])
