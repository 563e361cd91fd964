"""A state machine with a role, and what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws, wait_for

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Machines:
    """Makes state machines whose role may what is said."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.client = aws.client("stepfunctions")

    def role(self, *statements: dict[str, Any], name: str = "machine", trust: Any = None) -> str:
        iam = self.aws.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))["Role"]["Arn"]
        for number, statement in enumerate(statements):
            whole = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(whole))
        return str(made)

    def make(self, states: dict[str, Any], *statements: dict[str, Any], name: str = "m", **given: Any) -> str:
        """A machine of these states, the first of which begins."""
        top = given.pop("top", {})
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        role = given.pop("role", "") or self.role(*statements, name=f"role-{name}")
        made = self.client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role, **given)
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **more: Any) -> str:
        text = json.dumps({} if given is None else given)
        return str(self.client.start_execution(stateMachineArn=machine, input=text, **more)["executionArn"])

    def wait(self, execution: str, status: str = "SUCCEEDED") -> dict[str, Any]:
        """Its end, which is to be this one."""

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        found = wait_for(over, f"the end of {execution}", 60)
        assert found is not None and found["status"] == status, found
        return found

    def run(self, machine: str, given: Any = None, status: str = "SUCCEEDED", **more: Any) -> Any:
        """The output of a run, or its error and cause."""
        found = self.wait(self.start(machine, given, **more), status)
        return json.loads(found["output"]) if status == "SUCCEEDED" else (found.get("error"), found.get("cause"))

    def history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution, maxResults=7)
        return [event for page in pages for event in page["events"]]

    def types(self, execution: str) -> list[str]:
        return [event["type"] for event in self.history(execution)]


@pytest.fixture
def machines(aws: EmbeddedAws) -> Machines:
    return Machines(aws)


def task(resource: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    """A Task state that ends, unless `more` says where it goes on."""
    end = {} if "Next" in more else {"End": True}
    given = {} if parameters is None else {"Parameters": parameters}
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", **given, **end, **more}


Check = Callable[[], bool]
