"""Tasks on Fargate: what they run with, and how they end."""

from __future__ import annotations

import json

import pytest

from local_aws import processes

from .account import EXECUTION, PREFIX, EcsAccount, document

FOREVER = "import time; time.sleep(600)"


def test_a_task_runs_its_command_and_says_how_it_ended(account: EcsAccount):
    task = account.finish("print('one'); print('two'); raise SystemExit(3)")
    [container] = task["containers"]
    assert container["exitCode"] == 3
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert account.lines(task["taskArn"]) == ["one", "two"]
    assert (task["launchType"], task["capacityProviderName"]) == ("FARGATE", "FARGATE_SPOT")
    assert (task["cpu"], task["memory"], task["platformVersion"]) == ("256", "512", "1.4.0")
    moments = [
        "createdAt",
        "pullStartedAt",
        "pullStoppedAt",
        "startedAt",
        "stoppingAt",
        "executionStoppedAt",
        "stoppedAt",
    ]
    assert [task[name] for name in moments] == sorted(task[name] for name in moments)
    assert container["imageDigest"] == account.image.partition("@")[2]


def test_the_image_says_what_the_task_definition_leaves_out(account: EcsAccount):
    task = account.finish()
    assert task["containers"][0]["exitCode"] == 0
    assert account.lines(task["taskArn"]) == ["hello"]


def test_overrides_and_variables(account: EcsAccount):
    definition = account.define("pass", environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
    override = {
        "name": "main",
        "command": ["-c", "import os; print(os.environ['A'], os.environ['B'], os.environ['AWS_EXECUTION_ENV'])"],
        "environment": [{"name": "B", "value": "2"}],
    }
    task = account.wait(
        account.run(definition, overrides={"containerOverrides": [override], "cpu": "512", "memory": "1024"})
    )
    assert account.lines(task["taskArn"]) == ["1 2 AWS_ECS_FARGATE"]
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["overrides"]["containerOverrides"][0]["name"] == "main"


def test_a_working_directory_is_made(account: EcsAccount):
    task = account.finish("import os; print(os.getcwd())", workingDirectory="/work/made/for/it")
    assert account.lines(task["taskArn"])[0].endswith("/work/made/for/it")


def test_a_task_is_its_role_and_reads_about_itself(account: EcsAccount):
    role = account.task_role({"Who": {"Action": "s3:ListAllMyBuckets", "Resource": "*"}})
    task = account.finish(
        "import json, os, urllib.request",
        "base = os.environ['ECS_CONTAINER_METADATA_URI_V4']",
        "me, task = (json.load(urllib.request.urlopen(base + rest)) for rest in ('', '/task'))",
        "print(me['Name'], me['LogOptions']['awslogs-group'], task['TaskARN'], task['Limits'])",
        "asked = urllib.request.Request(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'])",
        "asked.add_header('Authorization', os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN'])",
        "print(json.dumps(json.load(urllib.request.urlopen(asked))))",
        task_taskRoleArn=role,
    )
    said, given = account.lines(task["taskArn"])
    assert said == f"main /tasks {task['taskArn']} {{'CPU': 0.25, 'Memory': 512}}"
    keys = json.loads(given)
    assert keys["RoleArn"] == role
    who = account.aws.client("sts", credentials=keys).get_caller_identity()["Arn"]
    assert who.endswith(f"assumed-role/task/{task['taskArn'].rpartition('/')[2]}")


def test_secrets_come_with_the_execution_role(account: EcsAccount):
    secret = account.aws.client("secretsmanager").create_secret(
        Name="database", SecretString=json.dumps({"password": "p", "port": 1})
    )
    account.aws.client("ssm").put_parameter(Name="/app/key", Value="k", Type="SecureString")
    task = account.finish(
        "import os; print(os.environ['WHOLE'], os.environ['PART'], os.environ['KEY'])",
        secrets=[
            {"name": "WHOLE", "valueFrom": secret["ARN"]},
            {"name": "PART", "valueFrom": f"{secret['ARN']}:password::"},
            {"name": "KEY", "valueFrom": "/app/key"},
        ],
    )
    assert account.lines(task["taskArn"]) == ['{"password": "p", "port": 1} p k'], task
    task = account.finish(secrets=[{"name": "X", "valueFrom": f"{secret['ARN']}:nothing::"}])
    assert task["stopCode"] == "TaskFailedToStart"
    assert "did not contain json key nothing" in task["stoppedReason"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("Token", "CannotPullContainerError"),
        ("Image", "CannotPullContainerError"),
        ("Layers", "CannotPullContainerError"),
        ("Stream", "ResourceInitializationError: failed to validate logger args"),
        ("Secret", "unable to retrieve secret from asm"),
        ("Parameter", "unable to retrieve secret from ssm"),
    ],
)
def test_each_statement_of_the_execution_role_is_needed(account: EcsAccount, missing: str, said: str):
    account.aws.client("secretsmanager").create_secret(Name="s", SecretString="x")
    account.aws.client("ssm").put_parameter(Name="/app/key", Value="k", Type="String")
    arn = account.aws.client("secretsmanager").describe_secret(SecretId="s")["ARN"]
    account.aws.change_policy(account.execution_policy, document(EXECUTION, without=missing))
    task = account.finish(secrets=[{"name": "S", "valueFrom": arn}, {"name": "K", "valueFrom": "/app/key"}])
    assert task["stopCode"] == "TaskFailedToStart"
    assert said in task["stoppedReason"]
    assert "AccessDenied" in task["stoppedReason"] or "may not" in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "batch:v9"}, "not found"),
        ({"image": "docker.io/library/python:3.11"}, "does not know other registries"),
        ({"group": "/none"}, "The log group /none does not exist"),
        ({"command": ["-c", "x"], "entryPoint": ["/no/such/program"]}, "CannotStartContainerError"),
        ({"role": "stranger"}, "ECS was unable to assume the role"),
    ],
)
def test_what_keeps_a_task_from_starting_is_its_reason(account: EcsAccount, change: dict, said: str):
    if "group" in change:
        options = {"awslogs-group": "/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}
        change = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    if "role" in change:
        trust = json.dumps(document({"Nobody": {"Action": "sts:AssumeRole"}}))
        trust = trust.replace('"Action"', '"Principal": {"Service": "ec2.amazonaws.com"}, "Action"')
        account.iam.create_role(RoleName="stranger", AssumeRolePolicyDocument=trust)
        change = {"task_taskRoleArn": f"{PREFIX}stranger"}
    if change.get("image", "").startswith("batch"):
        change = {"image": account.image.partition("/")[0] + "/" + change["image"]}
    task = account.finish(**change)
    assert task["stopCode"] == "TaskFailedToStart"
    assert said in task["stoppedReason"]
    assert task["containers"][0]["lastStatus"] == "STOPPED"
    assert "startedAt" not in task


def test_a_task_with_more_memory_than_it_has_is_killed(account: EcsAccount):
    task = account.finish("data = b'1' * 700 * 1024 ** 2", FOREVER)
    [container] = task["containers"]
    assert (container["exitCode"], container["reason"]) == (
        137,
        "OutOfMemoryError: Container killed due to memory usage",
    )
    assert task["stopCode"] == "EssentialContainerExited"


def test_a_stopped_task_gets_sigterm_and_may_clean_up(account: EcsAccount):
    definition = account.define(
        "import signal, sys",
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(7)))",
        "print('up')",
        FOREVER,
    )
    arn = account.run(definition)
    account.wait_for_line(arn, "up")
    answer = account.ecs.stop_task(cluster="jobs", task=arn, reason="enough")["task"]
    assert answer["desiredStatus"] == "STOPPED"
    task = account.wait(arn)
    assert task["containers"][0]["exitCode"] == 7
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert account.lines(arn) == ["up", "bye"]


def test_who_does_not_listen_is_killed_when_its_time_is_over(account: EcsAccount):
    definition = account.define(
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')", FOREVER, stopTimeout=2
    )
    arn = account.run(definition)
    account.wait_for_line(arn, "up")
    account.ecs.stop_task(cluster="jobs", task=arn)
    task = account.wait(arn)
    assert task["containers"][0]["exitCode"] == 137
    assert 2 <= (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds() < 10
    assert task["stoppedReason"] == "Task stopped by user"


def test_containers_wait_for_each_other_and_end_with_an_essential_one(account: EcsAccount):
    first = {"name": "first", "image": account.image, "command": ["-c", "print('first')"], "essential": False}
    side = {"name": "side", "image": account.image, "command": ["-c", FOREVER], "essential": False}
    logs = json.loads(json.dumps(account.ecs.describe_task_definition(taskDefinition=account.define())))
    main = {
        "name": "main",
        "image": account.image,
        "command": ["-c", "print('main'); raise SystemExit(1)"],
        "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}],
        "logConfiguration": logs["taskDefinition"]["containerDefinitions"][0]["logConfiguration"],
    }
    task = account.finish(task_containerDefinitions=[main, first, side])
    codes = {one["name"]: one["exitCode"] for one in task["containers"]}
    assert codes == {"main": 1, "first": 0, "side": 143}


def test_what_a_container_leaves_running_ends_with_it(account: EcsAccount):
    task = account.finish(
        "import subprocess, sys",
        f"left = subprocess.Popen([sys.executable, '-c', {FOREVER!r}], start_new_session=True)",
        "print(left.pid)",
    )
    assert task["containers"][0]["exitCode"] == 0
    assert processes.created_at(int(account.lines(task["taskArn"])[0])) is None


def test_a_cluster_counts_its_tasks(account: EcsAccount):
    arn = account.run(account.define(FOREVER))
    account.wait(arn, "RUNNING")
    [cluster] = account.ecs.describe_clusters(clusters=["jobs"])["clusters"]
    assert (cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (1, 0)


def test_a_task_that_runs_is_gone_with_its_account(account: EcsAccount):
    arn = account.run(account.define("print('up')", FOREVER))
    account.wait_for_line(arn, "up")
    mark = f"{account.aws.home}:ecs-{arn.rpartition('/')[2]}"
    assert processes.marked(mark)
    account.aws.reset()
    assert processes.marked(mark) == []
    assert account.ecs.list_clusters()["clusterArns"] == []
