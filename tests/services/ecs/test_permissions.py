"""Who may run, watch and stop tasks: a statement that is taken away breaks the call that needs it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from .account import ACCOUNT, PREFIX, EcsAccount, document

ECS = f"arn:aws:ecs:us-east-1:{ACCOUNT}"
CLUSTER = {"ArnEquals": {"ecs:cluster": f"{ECS}:cluster/jobs"}}
STATEMENTS = {
    "Register": {"Action": "ecs:RegisterTaskDefinition", "Resource": f"{ECS}:task-definition/job:*"},
    "Run": {"Action": "ecs:RunTask", "Resource": f"{ECS}:task-definition/job:*", "Condition": CLUSTER},
    "Pass": {
        "Action": "iam:PassRole",
        "Resource": f"{PREFIX}execution",
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    },
    "Tag": {
        "Action": "ecs:TagResource",
        "Resource": f"{ECS}:task/jobs/*",
        "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
    },
    "Describe": {"Action": "ecs:DescribeTasks", "Resource": f"{ECS}:task/jobs/*", "Condition": CLUSTER},
    "List": {"Action": "ecs:ListTasks", "Resource": "*", "Condition": CLUSTER},
    "Stop": {
        "Action": "ecs:StopTask",
        "Resource": f"{ECS}:task/jobs/*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "risk"}},
    },
}


def _refusals(account: EcsAccount, credentials: dict[str, str]) -> list[str]:
    """The operations that are refused."""
    ecs = account.aws.client("ecs", credentials=credentials)
    definition = account.ecs.describe_task_definition(taskDefinition=account.define("pass"))["taskDefinition"]
    registered = {
        name: definition[name]
        for name in (
            "family",
            "containerDefinitions",
            "cpu",
            "memory",
            "networkMode",
            "requiresCompatibilities",
            "executionRoleArn",
        )
    }
    asked = {"cluster": "jobs", "taskDefinition": "job", "networkConfiguration": account.network}
    tags = [{"key": "team", "value": "risk"}]
    arn = account.run("job", tags=tags)
    calls = {
        "RegisterTaskDefinition": lambda: ecs.register_task_definition(**registered),
        "RunTask": lambda: ecs.run_task(**asked, tags=tags),
        "DescribeTasks": lambda: ecs.describe_tasks(cluster="jobs", tasks=[arn]),
        "ListTasks": lambda: ecs.list_tasks(cluster="jobs"),
        "StopTask": lambda: ecs.stop_task(cluster="jobs", task=arn),
    }
    refused = []
    for name, call in calls.items():
        try:
            call()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            refused.append(name)
    return refused


REFUSED = {
    "": [],
    "Register": ["RegisterTaskDefinition"],
    "Run": ["RunTask"],
    "Pass": ["RegisterTaskDefinition", "RunTask"],
    "Tag": ["RunTask"],
    "Describe": ["DescribeTasks"],
    "List": ["ListTasks"],
    "Stop": ["StopTask"],
}


def test_each_statement_is_needed(account: EcsAccount):
    user = account.aws.new_user("runner", tasks=document(STATEMENTS))
    for missing, refused in REFUSED.items():
        arn = f"arn:aws:iam::{ACCOUNT}:policy/runner-tasks"
        account.aws.change_policy(arn, document(STATEMENTS, without=missing))
        assert _refusals(account, user) == refused, missing


def test_what_is_outside_of_the_policy_is_refused(account: EcsAccount):
    user = account.aws.new_user("runner", tasks=document(STATEMENTS))
    ecs = account.aws.client("ecs", credentials=user)
    account.ecs.create_cluster(clusterName="other", capacityProviders=["FARGATE"])
    asked = {"taskDefinition": account.define("pass"), "networkConfiguration": account.network, "launchType": "FARGATE"}
    with pytest.raises(ClientError, match="not authorized to perform: ecs:RunTask"):
        ecs.run_task(cluster="other", **asked)
    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
        ecs.run_task(cluster="jobs", overrides={"taskRoleArn": f"{PREFIX}admin"}, **asked)
    untagged = account.run(asked["taskDefinition"])
    with pytest.raises(ClientError, match="not authorized to perform: ecs:StopTask"):
        ecs.stop_task(cluster="jobs", task=untagged)


def test_the_first_to_name_capacity_providers_makes_the_role_of_ecs(account: EcsAccount) -> None:
    """Who may not make it can use clusters only where somebody else has made it."""
    iam = account.aws.client("iam")
    clusters = {"Effect": "Allow", "Action": ["ecs:CreateCluster", "ecs:PutClusterCapacityProviders"], "Resource": "*"}
    keys = account.aws.new_user("deployer", policy={"Version": "2012-10-17", "Statement": [clusters]})
    iam.delete_service_linked_role(RoleName="AWSServiceRoleForECS")  # which the cluster of the fixture needed
    ecs = account.aws.client("ecs", credentials=keys)
    providers = {"capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy": []}
    ecs.create_cluster(clusterName="plain")
    for call in (
        lambda: ecs.create_cluster(clusterName="spot", **providers),
        lambda: ecs.put_cluster_capacity_providers(cluster="plain", **providers),
    ):
        with pytest.raises(ClientError, match="iam:CreateServiceLinkedRole"):
            call()
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="AWSServiceRoleForECS")
    account.ecs.create_cluster(clusterName="spot", **providers)
    assert iam.get_role(RoleName="AWSServiceRoleForECS")["Role"]["Path"] == "/aws-service-role/ecs.amazonaws.com/"
    ecs.put_cluster_capacity_providers(cluster="plain", **providers)
