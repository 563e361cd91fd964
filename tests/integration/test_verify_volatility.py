"""verify_cleanup knows the volatility stack: a task that no execution waits for, and what acts after a teardown."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.services.ecs.account import EcsAccount

from .lock_account import LockAccount

STACK = "volatility-local"
ROLE = "arn:aws:iam::123456789012:role/anybody"


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    made = LockAccount(aws, monkeypatch)
    trusted = ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").create_role(RoleName="anybody", AssumeRolePolicyDocument=document)
    return made


def function_and_schedule(aws: Any) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("main.py", "def handler(event, context): return {}")
    made = aws.client("lambda").create_function(
        FunctionName=f"{STACK}-check", Role=ROLE, Runtime="python3.12", Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
    )  # fmt: skip
    scheduler = aws.client("scheduler")
    scheduler.create_schedule_group(Name=STACK)
    scheduler.create_schedule(
        Name="watchdog", GroupName=STACK, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": made["FunctionArn"], "RoleArn": ROLE},
    )  # fmt: skip


def test_of_a_provisioned_stack_functions_and_schedules_are_no_leftovers_of_another_they_are(
    account: LockAccount,
) -> None:
    function_and_schedule(account.aws)
    ssm = account.aws.client("ssm")
    ssm.put_parameter(Name="/volatility/local/bucket", Value="b", Type="String")
    assert account.cleanup()["clean"]
    ssm.delete_parameter(Name="/volatility/local/bucket")
    with pytest.raises(Exception, match="tear the volatility stack down once more"):
        account.cleanup()
    assert "volatility function" in account.said and "volatility schedule" in account.said


def test_a_task_is_left_over_when_no_execution_waits_for_it_and_fix_stops_it(account: LockAccount) -> None:
    aws, tasks = account.aws, EcsAccount(account.aws)
    aws.client("ssm").put_parameter(Name="/volatility/local/bucket", Value="b", Type="String")
    tasks.ecs.create_cluster(clusterName=STACK, capacityProviders=["FARGATE"])
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    states = aws.client("stepfunctions")
    chain = states.create_state_machine(name=f"{STACK}-daily", definition=json.dumps(waits), roleArn=ROLE)
    execution = states.start_execution(stateMachineArn=chain["stateMachineArn"])["executionArn"]
    sleeping = tasks.define("import time", "time.sleep(600)")
    task = tasks.run(sleeping, cluster=STACK, launchType="FARGATE")
    assert account.cleanup()["clean"]

    states.stop_execution(executionArn=execution)
    with pytest.raises(Exception, match="volatility task"):
        account.cleanup()
    assert account.fix()["ended"] == [f"volatility task {task}"]
    assert tasks.ecs.describe_tasks(cluster=STACK, tasks=[task])["tasks"][0]["desiredStatus"] == "STOPPED"
    assert account.cleanup()["clean"]
