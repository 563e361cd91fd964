"""Where tasks go, who interrupts them, and what RunTask refuses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from local_aws.home import REPOSITORY_ROOT
from local_aws.services.ecs.placement import distribute

from .account import PREFIX, EcsAccount

FOREVER = "import time; time.sleep(600)"


def _refused(account: EcsAccount, **asked) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        account.run(account.define(), **asked)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_strategy_distributes_by_base_and_weight():
    spot, fargate = (
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
    )
    placed = distribute([spot, fargate], 10)
    assert (placed.count("FARGATE"), placed.count("FARGATE_SPOT")) == (4, 6)
    assert distribute([spot, fargate], 1) == ["FARGATE"]
    assert distribute([{"capacityProvider": "FARGATE_SPOT"}], 2) == ["FARGATE_SPOT"] * 2


def test_a_launch_type_a_strategy_and_the_clusters_default(account: EcsAccount):
    definition = account.define("pass")
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    providers = {
        name: account.task(account.run(definition, **asked)).get("capacityProviderName")
        for name, asked in (
            ("default", {}),
            ("launch type", {"launchType": "FARGATE"}),
            ("strategy", {"capacityProviderStrategy": strategy}),
        )
    }
    assert providers == {"default": "FARGATE_SPOT", "launch type": None, "strategy": "FARGATE"}
    code, said = _refused(account, launchType="FARGATE", capacityProviderStrategy=strategy)
    assert (code, "not supported" in said) == ("InvalidParameterException", True)
    account.ecs.create_cluster(clusterName="bare")
    assert _refused(account, cluster="bare")[1] == "No Container Instances were found in your cluster."
    assert "not associated with the cluster" in _refused(account, cluster="bare", capacityProviderStrategy=strategy)[1]


def test_spot_has_no_capacity_while_a_fault_says_so(account: EcsAccount):
    account.aws.inject(no_capacity=["FARGATE_SPOT"])
    code, said = _refused(account)
    assert code == "AmazonECSException"
    assert said.startswith("Capacity is unavailable at this time")
    task = account.wait(account.run(account.define("pass"), launchType="FARGATE"))
    assert task["containers"][0]["exitCode"] == 0


def test_an_interruption_is_sigterm_and_has_its_code(account: EcsAccount):
    arn = account.run(
        account.define(
            "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0))); print('up')",
            FOREVER,
        )
    )
    account.wait_for_line(arn, "up")
    assert "is being interrupted" in _spot_notice(account, arn).stdout
    task = account.wait(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert task["containers"][0]["exitCode"] == 0
    assert account.lines(arn) == ["up", "saved"]
    assert "is under way" in _spot_notice(account, arn).stderr

    other = account.run(account.define(FOREVER), launchType="FARGATE")
    assert "is not on FARGATE_SPOT" in _spot_notice(account, other).stderr


def _spot_notice(account: EcsAccount, task: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **account.aws.env, "PYTHONPATH": f"{REPOSITORY_ROOT}:{REPOSITORY_ROOT}/training/src"}
    words = [sys.executable, "-m", "local_aws", "spot-notice", task]
    return subprocess.run(words, env=environment, capture_output=True, text=True)


def test_the_network_is_checked_and_gone_with_the_task(account: EcsAccount):
    ec2 = account.aws.client("ec2")
    assert "must be provided" in _refused(account, networkConfiguration={})[1]

    def network(**changes):
        return {"awsvpcConfiguration": {"subnets": [account.subnet], **changes}}

    assert "InvalidSubnetID.NotFound" in _refused(account, networkConfiguration=network(subnets=["subnet-0abc"]))[1]
    assert "InvalidGroup.NotFound" in _refused(account, networkConfiguration=network(securityGroups=["sg-0abc"]))[1]
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=other)["GroupId"]
    assert "same VPC" in _refused(account, networkConfiguration=network(securityGroups=[group]))[1]

    arn = account.run(account.define(FOREVER))
    details = {one["name"]: one["value"] for one in account.task(arn)["attachments"][0]["details"]}
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ][0]
    assert interface["SubnetId"] == account.subnet
    assert [one["GroupName"] for one in interface["Groups"]] == ["default"]
    account.wait(arn, "RUNNING")
    account.ecs.stop_task(cluster="jobs", task=arn)
    account.wait(arn)
    with pytest.raises(ClientError, match="InvalidNetworkInterfaceID"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])


def test_the_same_token_is_the_same_task(account: EcsAccount):
    definition = account.define("pass")
    first = account.run(definition, clientToken="once")
    assert account.run(definition, clientToken="once") == first
    with pytest.raises(account.ecs.exceptions.ConflictException):
        account.run(definition, clientToken="once", startedBy="another")
    assert account.run(definition, clientToken="twice") != first


def test_tags_come_with_the_request_and_the_task_definition(account: EcsAccount):
    definition = account.define("pass", task_tags=[{"key": "team", "value": "risk"}, {"key": "run", "value": "0"}])
    arn = account.run(
        definition, tags=[{"key": "run", "value": "1"}], propagateTags="TASK_DEFINITION", enableECSManagedTags=True
    )
    tags = {tag["key"]: tag["value"] for tag in account.task(arn)["tags"]}
    assert tags == {"run": "1", "team": "risk", "aws:ecs:clusterName": "jobs"}


NOT_ON_FARGATE: list[tuple[dict, str]] = [
    ({"task_cpu": "256", "task_memory": "4096"}, "No Fargate configuration exists for given values."),
    ({"task_cpu": "300"}, "No Fargate configuration exists for given values."),
    ({"task_networkMode": "bridge"}, "Fargate only supports network mode 'awsvpc'."),
    ({"task_executionRoleArn": ""}, "execution role ARN to support ECR images"),
    ({"privileged": True}, "do not support privileged containers"),
    ({"stopTimeout": 121}, "exceeds the maximum of 120 seconds"),
    ({"essential": False}, "at least one essential container"),
    (
        {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/tasks"}}},
        "awslogs-stream-prefix",
    ),
]


def test_task_definitions_that_fargate_does_not_run(account: EcsAccount):
    for change, said in NOT_ON_FARGATE:
        with pytest.raises(account.ecs.exceptions.ClientException) as caught:
            account.define(**change)
        assert said in str(caught.value)


REFUSED: list[tuple[dict, str]] = [
    ({"taskDefinition": "nothing"}, "Unable to describe task definition"),
    ({"cluster": "nothing"}, "Cluster not found"),
    ({"count": 11}, "count must be between 1 and 10"),
    ({"overrides": {"containerOverrides": [{"name": "other"}]}}, "is not a container in the TaskDefinition"),
    ({"overrides": {"cpu": "256", "memory": "9999"}}, "No Fargate configuration exists"),
    ({"enableExecuteCommand": True}, "does not know ECS Exec"),
    ({"launchType": "EC2"}, "No Container Instances were found in your cluster."),
]


def test_requests_that_are_refused(account: EcsAccount):
    for asked, said in REFUSED:
        assert said in _refused(account, **asked)[1]


def test_what_the_embedded_aws_does_not_know_it_says(account: EcsAccount):
    arn = account.run(account.define("pass"))
    with pytest.raises(ClientError, match="execute command was not enabled"):
        account.ecs.execute_command(cluster="jobs", task=arn, command="sh", interactive=True)
    with pytest.raises(ClientError, match="does not know services of ECS"):
        account.ecs.create_service(cluster="jobs", serviceName="web", taskDefinition="job", desiredCount=1)
    assert PREFIX in account.ecs.describe_task_definition(taskDefinition="job")["taskDefinition"]["executionRoleArn"]
