"""What moto still lacks without us. A test that fails here means that moto has closed the gap: take our patch away."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

DEFINITION = {
    "family": "job",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {"name": "a", "image": "x", "memory": 128},
        {"name": "b", "image": "x", "memory": 128},
    ],
}


@pytest.fixture
def clients(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("ecs", region_name="us-east-1"), boto3.client("ec2", region_name="us-east-1")


def _network(ec2) -> dict:
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    return {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], "securityGroups": [group]}}


def _run(clients, **changes):
    ecs, ec2 = clients
    ecs.create_cluster(clusterName="jobs")
    ecs.register_task_definition(**DEFINITION)
    asked = {
        "cluster": "jobs",
        "taskDefinition": "job",
        "launchType": "FARGATE",
        "networkConfiguration": _network(ec2),
    }
    return ecs.run_task(**asked | changes)["tasks"]


def test_a_task_is_born_running_with_one_container_that_has_ended_well(clients):
    [task] = _run(clients)
    assert task["lastStatus"] == "RUNNING"
    assert [(one["name"], one["exitCode"]) for one in task["containers"]] == [("a", 0)]


def test_it_moves_on_when_it_is_looked_at(clients):
    [task] = _run(clients)
    seen = {
        clients[0].describe_tasks(cluster="jobs", tasks=[task["taskArn"]])["tasks"][0]["lastStatus"] for _ in range(6)
    }
    assert "STOPPED" in seen


def test_a_task_that_is_missing_is_not_said_and_one_of_another_cluster_is_shown(clients):
    ecs, _ = clients
    [task] = _run(clients)
    ecs.create_cluster(clusterName="other")
    answer = ecs.describe_tasks(cluster="other", tasks=[task["taskArn"], "0" * 32])
    assert (len(answer["tasks"]), answer["failures"]) == (1, [])


def test_a_client_token_starts_a_second_task(clients):
    assert _run(clients, clientToken="once")[0]["taskArn"] != _run(clients, clientToken="once")[0]["taskArn"]


def test_security_groups_and_memory_of_containers_are_needed(clients):
    ecs, ec2 = clients
    network = _network(ec2)
    del network["awsvpcConfiguration"]["securityGroups"]
    with pytest.raises(KeyError):
        _run(clients, networkConfiguration=network)
    bare = [{"name": "a", "image": "x"}]
    ecs.register_task_definition(**{**DEFINITION, "family": "bare", "containerDefinitions": bare})
    with pytest.raises(TypeError):
        _run(clients, taskDefinition="bare")


def test_a_listing_shows_what_has_stopped(clients):
    ecs, _ = clients
    [task] = _run(clients)
    ecs.stop_task(cluster="jobs", task=task["taskArn"])
    assert len(ecs.list_tasks(cluster="jobs")["taskArns"]) == 1


def test_capacity_providers_need_no_role(clients) -> None:
    ecs, _ = clients
    ecs.create_cluster(clusterName="jobs", capacityProviders=["FARGATE_SPOT"])
    roles = boto3.client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles] == []
