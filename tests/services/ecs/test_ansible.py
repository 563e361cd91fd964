"""Ansible's own modules find what they made: the second run changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import wait_for
from tests.services.events.test_ansible import changes

from .account import PREFIX, EcsAccount

pytestmark = pytest.mark.services


def test_repository_cluster_and_task_definition(account: EcsAccount, tmp_path: Path) -> None:
    logs = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/tasks", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"},
    }
    definition = {
        "state": "present",
        "family": "training",
        "launch_type": "FARGATE",
        "network_mode": "awsvpc",
        "cpu": "2048",
        "memory": "4096",
        "execution_role_arn": f"{PREFIX}execution",
        "task_role_arn": account.task_role({"List": {"Action": "s3:ListAllMyBuckets", "Resource": "*"}}),
        "containers": [
            {
                "name": "main",
                "image": account.image,
                "essential": True,
                "command": ["-c", "print('from Ansible')"],
                "environment": [{"name": "STAGE", "value": "test"}],
                "logConfiguration": logs,
            }
        ],
    }
    cluster = {
        "name": "volatility",
        "state": "present",
        "capacity_providers": ["FARGATE", "FARGATE_SPOT"],
        "capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT", "weight": 1, "base": 0}],
    }
    lifecycle: dict[str, Any] = {
        "rules": [
            {
                "rulePriority": 1,
                "description": "the newest",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
                "action": {"type": "expire"},
            }
        ]
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Lambda",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            }
        ],
    }
    repository = {
        "name": "api",
        "image_tag_mutability": "immutable",
        "scan_on_push": True,
        "policy": policy,
        "lifecycle_policy": lifecycle,
    }
    for module, arguments in (
        ("community.aws.ecs_ecr", repository),
        ("community.aws.ecs_cluster", cluster),
        ("community.aws.ecs_taskdefinition", definition),
    ):
        assert changes(account.aws, tmp_path, module, **arguments), module
        assert not changes(account.aws, tmp_path, module, **arguments), module
    asked = {
        "operation": "run",
        "cluster": "volatility",
        "task_definition": "training",
        "count": 1,
        "started_by": "ansible",
        "launch_type": "FARGATE",
        "network_configuration": {"subnets": [account.subnet], "assign_public_ip": True},
    }
    assert changes(account.aws, tmp_path, "community.aws.ecs_task", **asked)

    def ended() -> list[str]:
        return list(account.ecs.list_tasks(cluster="volatility", desiredStatus="STOPPED")["taskArns"])

    [arn] = wait_for(ended, "the task's end", timeout=30)
    account.ecs.get_waiter("tasks_stopped").wait(cluster="volatility", tasks=[arn], WaiterConfig={"Delay": 1})
    assert account.lines(arn) == ["from Ansible"]
