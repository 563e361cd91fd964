"""Somebody else's clients: boto3's waiters and paginators, the AWS CLI, a rule of EventBridge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import wait_for

from .account import ACCOUNT, EcsAccount

FOREVER = "import time; time.sleep(600)"
FAST = {"Delay": 1, "MaxAttempts": 60}


def test_waiters_and_paginators_of_boto3(account: EcsAccount):
    arns = [account.run(account.define(FOREVER), startedBy="me") for _ in range(3)]
    account.ecs.get_waiter("tasks_running").wait(cluster="jobs", tasks=arns, WaiterConfig=FAST)
    pages = account.ecs.get_paginator("list_tasks").paginate(
        cluster="jobs", startedBy="me", PaginationConfig={"PageSize": 2}
    )
    found = [page["taskArns"] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert sorted(arn for page in found for arn in page) == sorted(arns)
    for arn in arns:
        account.ecs.stop_task(cluster="jobs", task=arn)
    account.ecs.get_waiter("tasks_stopped").wait(cluster="jobs", tasks=arns, WaiterConfig=FAST)
    assert account.ecs.list_tasks(cluster="jobs")["taskArns"] == []
    assert len(account.ecs.list_tasks(cluster="jobs", desiredStatus="STOPPED")["taskArns"]) == 3
    answer = account.ecs.describe_tasks(cluster="jobs", tasks=["0" * 32, arns[0]])
    assert [one["reason"] for one in answer["failures"]] == ["MISSING"]
    account.aws.advance(3700)
    account.run(account.define("pass"))
    assert account.ecs.list_tasks(cluster="jobs", desiredStatus="STOPPED")["taskArns"] == []


def _aws(account: EcsAccount, *words: str) -> str:
    program = str(Path(sys.executable).with_name("aws"))
    done = subprocess.run(
        [program, *words], env={**os.environ, **account.aws.env}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.services
def test_the_aws_cli_runs_a_task_and_waits_for_it(account: EcsAccount):
    account.define("raise SystemExit(5)")
    network = f"awsvpcConfiguration={{subnets=[{account.subnet}],assignPublicIp=ENABLED}}"
    words = ["ecs", "run-task", "--cluster", "jobs", "--task-definition", "job", "--network-configuration", network]
    arn = _aws(account, *words, "--query", "tasks[0].taskArn", "--output", "text").strip()
    _aws(account, "ecs", "wait", "tasks-stopped", "--cluster", "jobs", "--tasks", arn)
    described = json.loads(_aws(account, "ecs", "describe-tasks", "--cluster", "jobs", "--tasks", arn))
    assert described["tasks"][0]["containers"][0]["exitCode"] == 5
    images = json.loads(_aws(account, "ecr", "describe-images", "--repository-name", "batch"))
    assert images["imageDetails"][0]["imageTags"] == ["v1"]
    assert len(_aws(account, "ecr", "get-login-password").strip()) > 40


def test_status_shows_the_tasks_that_run(account: EcsAccount):
    arn = account.run(account.define(FOREVER))
    account.wait(arn, "RUNNING")
    environment = {**os.environ, **account.aws.env, "PYTHONPATH": f"{REPOSITORY_ROOT}:{REPOSITORY_ROOT}/training/src"}
    words = [sys.executable, "-m", "local_aws", "status"]
    said = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    [line] = [one for one in said.splitlines() if arn.rpartition("/")[2] in one]
    assert "RUNNING" in line
    assert "main: process" in line


def test_each_change_of_state_is_an_event(account: EcsAccount):
    queue = account.aws.client("sqs").create_queue(QueueName="changes")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:changes"
    events = account.aws.client("events")
    events.put_rule(
        Name="tasks", EventPattern=json.dumps({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})
    )
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/tasks"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    account.aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule="tasks", Targets=[{"Id": "queue", "Arn": arn}])
    task = account.finish("raise SystemExit(2)")
    seen: list[dict] = []

    def all_there() -> bool:
        answer = account.aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        seen.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return any(one["detail"]["lastStatus"] == "STOPPED" for one in seen)

    wait_for(all_there, "the event of the end", timeout=30)
    details = sorted((one["detail"] for one in seen), key=lambda detail: detail["version"])
    states = list(dict.fromkeys(detail["lastStatus"] for detail in details))
    assert [state for state in states if state != "PROVISIONING"] == ["PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]
    assert (seen[0]["source"], seen[0]["resources"]) == ("aws.ecs", [task["taskArn"]])
    last = details[-1]
    assert (last["stopCode"], last["containers"][0]["exitCode"]) == ("EssentialContainerExited", 2)
