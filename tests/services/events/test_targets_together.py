"""Schedules and rules reach machines, tasks, functions and buses that really run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws, wait_for
from tests.services.accounts import ACCOUNT, ECHO, Queue, allow, events_of, may, role
from tests.services.awslambda import functions
from tests.services.ecs.account import PREFIX, EcsAccount
from tests.services.scheduler.test_firing import create
from tests.services.stepfunctions.conftest import Machines

pytestmark = pytest.mark.services
EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"


def rule(aws: Any, pattern: dict[str, Any], *targets: dict[str, Any], name: str = "r") -> None:
    aws.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    numbered = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    aws.client("events").put_targets(Rule=name, Targets=numbered)


def executions(machines: Machines, arn: str) -> list[Any]:
    """The outputs of all executions, when they are over."""
    machines.aws.advance(0.001)
    listed = machines.client.list_executions(stateMachineArn=arn)["executions"]
    return [json.loads(machines.wait(one["executionArn"])["output"]) for one in listed]


def test_a_schedule_and_a_rule_start_a_machine_whose_end_is_an_event(aws: EmbeddedAws) -> None:
    machines, queue = Machines(aws), Queue(aws, "ends", EVENTS)
    arn = machines.make({"it": {"Type": "Pass", "End": True}})
    pattern = {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED"], "stateMachineArn": [arn]}}
    rule(aws, pattern, {"Arn": queue.arn, "InputPath": "$.detail.output"}, name="ends")
    starter = role(aws, "starter", SCHEDULER, allow("states:StartExecution", arn))
    create(aws, "rate(1 day)", {"Arn": arn, "RoleArn": starter, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'})
    assert list(executions(machines, arn)[0]) == ["at"]
    ruler = role(aws, "ruler", EVENTS, allow("states:StartExecution", arn))
    rule(aws, {"source": ["mine"]}, {"Arn": arn, "RoleArn": ruler, "InputPath": "$.detail"})
    entry = {"Source": "mine", "DetailType": "t", "Detail": '{"from": "a rule"}'}
    aws.client("events").put_events(Entries=[entry])
    assert {"from": "a rule"} in executions(machines, arn)
    aws.advance(0.001)
    assert len(queue.messages()) == 2
    for name in ("starter", "ruler"):
        may(aws, name)
    aws.client("events").put_events(Entries=[entry])
    aws.advance(86400)
    assert len(executions(machines, arn)) == 2


def test_a_schedule_and_a_rule_run_a_task_and_hear_of_its_end(aws: EmbeddedAws, tmp_path: Path) -> None:
    account, queue = EcsAccount(aws), Queue(aws, "ends", EVENTS)
    definition = account.define("import os; print('at', os.environ.get('AT'))")
    stopped = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"lastStatus": ["STOPPED"]}}
    rule(aws, stopped, {"Arn": queue.arn, "InputPath": "$.detail"}, name="ends")
    cluster = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/jobs"
    running = allow("ecs:RunTask", definition)
    passing = allow("iam:PassRole", f"{PREFIX}execution")
    runner = role(aws, "runner", SCHEDULER, running, passing)
    network = {"awsvpcConfiguration": {"Subnets": [account.subnet], "AssignPublicIp": "ENABLED"}}
    overrides = {"containerOverrides": [{"name": "main", "environment": [{"name": "AT", "value": "night"}]}]}
    given = {"TaskDefinitionArn": definition, "NetworkConfiguration": network}
    target = {"Arn": cluster, "RoleArn": runner, "EcsParameters": given, "Input": json.dumps(overrides)}
    create(aws, "rate(1 day)", target)
    ended = wait_for(queue.documents, "the end of the task")[0]
    assert account.lines(ended["taskArn"]) == ["at night"] and ended["containers"][0]["exitCode"] == 0
    ruler = role(aws, "ruler", EVENTS, running, passing)
    given = {
        "TaskDefinitionArn": definition,
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [account.subnet]}},
    }
    rule(aws, {"source": ["mine"]}, {"Arn": cluster, "RoleArn": ruler, "EcsParameters": given})
    aws.client("events").put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])
    ended = wait_for(queue.documents, "the end of the task")[0]
    assert account.lines(ended["taskArn"]) == ["at None"]
    may(aws, "runner", running)
    aws.advance(86400)
    assert queue.messages() == [], "the role may no longer be passed"


def test_a_schedule_invokes_a_function_and_puts_an_event(aws: EmbeddedAws) -> None:
    function = functions.create(aws, ECHO)
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    queue = Queue(aws, "q", EVENTS)
    rule(aws, {"source": ["planned"]}, {"Arn": queue.arn, "InputPath": "$.detail"})
    actor = role(aws, "actor", SCHEDULER, allow("lambda:InvokeFunction", function), allow("events:PutEvents", bus))
    create(aws, "rate(1 day)", {"Arn": function, "RoleArn": actor}, "function")
    event = {"DetailType": "Planned", "Source": "planned"}
    create(
        aws, "rate(1 day)", {"Arn": bus, "RoleArn": actor, "EventBridgeParameters": event, "Input": '{"n": 1}'}, "event"
    )
    aws.advance(1)
    assert queue.documents() == [{"n": 1}]
    [given] = events_of(functions.logged(aws))
    assert given["source"] == "aws.scheduler" and given["detail-type"] == "Scheduled Event"
