"""Chains of functions and of tasks on Fargate: real processes, and what their failures do to an execution."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.awslambda.functions import create
from tests.services.ecs.account import PREFIX, EcsAccount
from tests.services.stepfunctions.conftest import Machines, task

pytestmark = pytest.mark.services

INVOKE = {"Action": "lambda:InvokeFunction", "Resource": "*"}
RULES = {"Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"], "Resource": "*"}
TASKS = {"Action": ["ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks"], "Resource": "*"}
PASS = {
    "Action": "iam:PassRole",
    "Resource": f"{PREFIX}*",
    "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
}
FUNCTION = """
import time

class OutOfStock(Exception):
    pass

def handler(event, context):
    kind = event.get("kind")
    if kind == "error":
        raise OutOfStock("none left")
    if kind == "slow":
        time.sleep(4)
    return {"got": event, "n": event.get("n", 0) + 1}
"""


@pytest.fixture
def account(aws: EmbeddedAws, tmp_path: Path) -> EcsAccount:
    return EcsAccount(aws)


def test_three_functions_in_a_row(aws: EmbeddedAws, machines: Machines) -> None:
    arn = create(aws, FUNCTION)
    aws.client("lambda").publish_version(FunctionName="f")
    aws.client("lambda").create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    invoke = {"FunctionName": f"{arn}:live", "Payload.$": "$"}
    states = {
        "A": task("lambda:invoke", invoke, OutputPath="$.Payload", Next="B"),
        "B": {"Type": "Task", "Resource": arn, "Next": "C"},
        "C": task("lambda:invoke", invoke, ResultSelector={"n.$": "$.Payload.n", "version.$": "$.ExecutedVersion"}),
    }
    execution = machines.start(machines.make(states, INVOKE), {"n": 1})
    assert json.loads(machines.wait(execution)["output"]) == {"n": 4, "version": "1"}
    types = machines.types(execution)
    assert types[1:6] == ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"]
    assert types[7:10] == ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]


def test_errors_of_functions(aws: EmbeddedAws, machines: Machines) -> None:
    arn = create(aws, FUNCTION, Timeout=1)
    call = task(
        "lambda:invoke",
        {"FunctionName": arn, "Payload.$": "$"},
        Catch=[{"ErrorEquals": ["OutOfStock"], "Next": "None"}],
        Next="S",
    )
    machine = machines.make({"A": call, "S": {"Type": "Succeed"}, "None": {"Type": "Succeed"}}, INVOKE)
    caught = machines.run(machine, {"kind": "error"})
    assert caught["Error"] == "OutOfStock" and json.loads(caught["Cause"])["errorMessage"] == "none left"
    error, cause = machines.run(machine, {"kind": "slow"}, status="FAILED")
    assert error == "Sandbox.Timedout" and "Task timed out after 1.00 seconds" in cause
    direct = machines.make({"A": {"Type": "Task", "Resource": arn, "End": True}}, INVOKE, name="direct")
    assert machines.run(direct, {"kind": "error"}, status="FAILED")[0] == "OutOfStock"
    aws.client("lambda").put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert machines.run(machine, {}, status="FAILED")[0] == "Lambda.TooManyRequestsException"
    aws.client("lambda").delete_function(FunctionName="f")
    assert machines.run(machine, {}, status="FAILED")[0] == "Lambda.ResourceNotFoundException"
    aws.client("iam").delete_role_policy(RoleName="role-m", PolicyName="p0")
    error, cause = machines.run(machine, {}, status="FAILED")
    assert error == "Lambda.AccessDeniedException" and "lambda:InvokeFunction" in cause


def test_a_time_limit_of_a_function_that_goes_on(aws: EmbeddedAws, machines: Machines) -> None:
    arn = create(aws, FUNCTION, Timeout=60)
    call = task(
        "lambda:invoke",
        {"FunctionName": arn, "Payload.$": "$"},
        TimeoutSeconds=1,
        Next="Wait",
        Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Wait"}],
    )
    machine = machines.make({"A": call, "Wait": {"Type": "Wait", "Seconds": 60, "End": True}}, INVOKE)
    execution = machines.start(machine, {"kind": "slow"})
    wait_for(lambda: "WaitStateEntered" in machines.types(execution), "the time limit")
    aws.advance(120)  # and with it the function's end
    assert json.loads(machines.wait(execution)["output"])["Error"] == "States.Timeout"
    assert "TaskTimedOut" in machines.types(execution) and "TaskSucceeded" not in machines.types(execution)


def run_task(account: EcsAccount, definition: str, **more: Any) -> dict[str, Any]:
    """The state that runs a task and waits for it."""
    network = {"AwsvpcConfiguration": {"Subnets": [account.subnet], "AssignPublicIp": "ENABLED"}}
    parameters = {"Cluster": "jobs", "TaskDefinition": definition, "NetworkConfiguration": network}
    parameters |= more.pop("parameters", {})
    return task("ecs:runTask.sync", parameters, **more)


def test_a_task_that_is_waited_for(account: EcsAccount, machines: Machines) -> None:
    definition = account.define("import os, sys; print(os.environ['DATE']); sys.exit(int(os.environ['CODE']))")
    override = {
        "Name": "main",
        "Environment": [{"Name": "DATE", "Value.$": "$.date"}, {"Name": "CODE", "Value.$": "$.code"}],
    }
    state = run_task(account, definition, parameters={"Overrides": {"ContainerOverrides": [override]}})
    with pytest.raises(ClientError, match="not authorized to create managed-rule"):
        machines.make({"Train": state}, TASKS, PASS, name="no-rules")
    machine = machines.make({"Train": state}, TASKS, PASS, RULES)
    execution = machines.start(machine, {"date": "2026-11-30", "code": "0"})
    output = json.loads(machines.wait(execution)["output"])
    assert output["LastStatus"] == "STOPPED" and output["Containers"][0]["ExitCode"] == 0
    assert account.lines(output["TaskArn"]) == ["2026-11-30"] and output["StartedBy"] == "AWS Step Functions"
    assert machines.types(execution)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    error, cause = machines.run(machine, {"date": "x", "code": "3"}, status="FAILED")
    assert error == "States.TaskFailed"
    assert (
        json.loads(cause)["Containers"][0]["ExitCode"] == 3
        and json.loads(cause)["StopCode"] == "EssentialContainerExited"
    )


def test_without_pass_role(account: EcsAccount, machines: Machines) -> None:
    machine = machines.make({"Train": run_task(account, account.define("pass"))}, TASKS, RULES)
    execution = machines.start(machine)
    found = machines.wait(execution, "FAILED")
    assert found["error"] == "ECS.AccessDeniedException" and "iam:PassRole" in found["cause"]
    assert machines.types(execution)[-2:] == ["TaskSubmitFailed", "ExecutionFailed"]


def test_a_task_is_stopped_with_its_execution(account: EcsAccount, machines: Machines) -> None:
    definition = account.define("import time", "print('up')", "time.sleep(600)")
    machine = machines.make({"Train": run_task(account, definition)}, TASKS, PASS, RULES)
    limited = machines.make(
        {"Train": run_task(account, definition, TimeoutSeconds=3)}, TASKS, PASS, RULES, name="limited"
    )

    def submitted(execution: str) -> str:
        wait_for(lambda: "TaskSubmitted" in machines.types(execution), "the task")
        [event] = [e for e in machines.history(execution) if e["type"] == "TaskSubmitted"]
        return str(json.loads(event["taskSubmittedEventDetails"]["output"])["Tasks"][0]["TaskArn"])

    execution = machines.start(machine)
    arn = submitted(execution)
    account.wait_for_line(arn, "up")
    machines.client.stop_execution(executionArn=execution)
    assert account.wait(arn)["stoppedReason"] == "Stopped by AWS Step Functions"
    late = machines.start(limited)
    arn = submitted(late)
    assert machines.wait(late, "FAILED")["error"] == "States.Timeout"
    assert account.wait(arn)["stopCode"] == "UserInitiated"


def test_spot_and_then_fargate(account: EcsAccount, machines: Machines) -> None:
    """Training as it is done: first where it is cheap, then where nobody takes the machine away."""
    account.aws.inject(no_capacity=["FARGATE_SPOT"])
    definition = account.define("print('trained')")
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.spot", "Next": "OnDemand"}]
    states = {
        "Spot": run_task(account, definition, Catch=catch, Next="Done"),
        "OnDemand": run_task(account, definition, parameters={"LaunchType": "FARGATE"}, Next="Done"),
        "Done": {"Type": "Succeed"},
    }
    execution = machines.start(machines.make(states, TASKS, PASS, RULES))
    output = json.loads(machines.wait(execution)["output"])
    assert output["LaunchType"] == "FARGATE"
    entered = [
        e["stateEnteredEventDetails"]["name"] for e in machines.history(execution) if "stateEnteredEventDetails" in e
    ]
    assert entered == ["Spot", "OnDemand", "Done"]


def test_a_crash_in_the_middle_of_a_task(tmp_path: Path) -> None:
    aws = EmbeddedAws(tmp_path / "home")
    try:
        account, machines = EcsAccount(aws), Machines(aws)
        aws.client("ec2").create_tags(Resources=[account.subnet], Tags=[{"Key": "kept", "Value": "yes"}])
        definition = account.define("import time", "print('up')", "time.sleep(600)")
        catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Lost"}]
        states = {
            "Train": run_task(account, definition, Catch=catch, Next="Bad"),
            "Bad": {"Type": "Fail"},
            "Lost": {"Type": "Succeed"},
        }
        execution = machines.start(machines.make(states, TASKS, PASS, RULES))
        wait_for(lambda: "TaskSubmitted" in machines.types(execution), "the task")
        folder = Home(aws.home).state
        for kind in ("ecs", "ec2", "stepfunctions"):
            wait_for(
                lambda kind=kind: any(
                    account.subnet.encode() in f.read_bytes() for f in folder.glob(f"moto.{kind}*.pickle")
                ),
                f"the state of {kind} on disk",
            )
        wait_for(
            lambda: any(b"TaskSubmitted" in f.read_bytes() for f in folder.glob("moto.stepfunctions*")), "the journal"
        )
        os.kill(aws.server.pid, signal.SIGKILL)
        aws = EmbeddedAws(aws.home)
        machines = Machines(aws)
        found = json.loads(machines.wait(execution)["output"])
        assert json.loads(found["error"]["Cause"])["StopCode"] == "InfrastructureHealth"
        tasks = aws.client("ecs").list_tasks(cluster="jobs", desiredStatus="STOPPED")["taskArns"]
        assert len(tasks) == 1  # found again, not run again
    finally:
        aws.stop()
