"""Functions for the tests: made of a few lines of Python, with a role that may write logs."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from typing import Any

from local_aws.testing import EmbeddedAws

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
LOGS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "*",
}


def archive(code: str, **more: str) -> bytes:
    """A zip with app.py."""
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w") as file:
        for name, text in {"app.py": textwrap.dedent(code), **more}.items():
            file.writestr(name, text)
    return opened.getvalue()


def role(aws: EmbeddedAws, *statements: dict[str, Any], name: str = "function", logs: bool = True) -> str:
    """Make a role that Lambda may take, with these statements."""
    iam = aws.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
    listed = [*statements, *([LOGS] if logs else [])]
    if listed:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*listed))
    return str(made)


def document(*statements: dict[str, Any]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def create(aws: EmbeddedAws, code: str, *, name: str = "f", role_arn: str = "", **more: Any) -> str:
    """Make a function and wait until it is active; returns its ARN."""
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role_arn or role(aws),
        Code={"ZipFile": archive(code)},
        **more,
    )
    aws.advance(1)  # no longer Pending
    return str(client.get_function_configuration(FunctionName=name)["FunctionArn"])


def invoke(aws: EmbeddedAws, event: Any = None, *, name: str = "f", client: Any = None, **more: Any) -> dict[str, Any]:
    """Invoke; returns the answer with `result`, the decoded payload."""
    called = client or aws.client("lambda")
    answer = called.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    payload = answer["Payload"].read()
    return {**answer, "result": json.loads(payload) if payload else None}


def logged(aws: EmbeddedAws, group: str = "/aws/lambda/f") -> list[str]:
    """What is in the log group, once everything has arrived."""
    aws.advance(0)
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]
