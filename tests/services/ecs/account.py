"""An account with a cluster, roles, an image and a task definition, and what tests of tasks do again and again."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from local_aws.containers import running
from local_aws.containers.layers import pack
from local_aws.containers.oci import ARCHITECTURE, CONFIG, LAYER, MANIFEST, PROCESS_AUTHOR
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.ecr.registry_client import RegistryClient, digest_of

ACCOUNT = "123456789012"
PREFIX = f"arn:aws:iam::{ACCOUNT}:role/"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EXECUTION = {
    "Token": {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    "Image": {
        "Action": "ecr:BatchGetImage",
        "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/batch",
    },
    "Layers": {
        "Action": "ecr:GetDownloadUrlForLayer",
        "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/batch",
    },
    "Stream": {"Action": "logs:CreateLogStream", "Resource": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/tasks:*"},
    "Events": {"Action": "logs:PutLogEvents", "Resource": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/tasks:*"},
    "Secret": {
        "Action": "secretsmanager:GetSecretValue",
        "Resource": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:*",
    },
    "Parameter": {"Action": "ssm:GetParameters", "Resource": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/*"},
}


def document(statements: dict[str, dict[str, Any]], *, without: str = "") -> dict[str, Any]:
    """A policy of these statements by Sid, one taken away."""
    listed = [{"Sid": sid, "Effect": "Allow", **one} for sid, one in statements.items() if sid != without]
    return {"Version": "2012-10-17", "Statement": listed}


@functools.cache
def _image() -> tuple[bytes, bytes]:
    """Configuration and layer as the builder `process` makes them, once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        running.new_environment(root / "usr/local")
        (root / "work").mkdir()
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
        layer = pack(root, names, Path(folder, "layer"))
        config = {
            "author": PROCESS_AUTHOR,
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"],
                "Entrypoint": ["python"],
                "Cmd": ["-c", "print('hello')"],
                "WorkingDir": "/work",
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        }
        return json.dumps(config).encode(), layer.path.read_bytes()


class EcsAccount:
    """Made in an empty account."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.ecs = aws.client("ecs")
        self.iam = aws.client("iam")
        self.execution_policy = self._role("execution", document(EXECUTION))
        aws.client("ecr").create_repository(repositoryName="batch")
        self.image = self._push_image()
        aws.client("logs").create_log_group(logGroupName="/tasks")
        self.ecs.create_cluster(
            clusterName="jobs",
            capacityProviders=["FARGATE", "FARGATE_SPOT"],
            defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        )
        ec2 = aws.client("ec2")
        # Not the default one: a VPC that is made gives no host names.
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.network = {"awsvpcConfiguration": {"subnets": [self.subnet], "assignPublicIp": "ENABLED"}}

    def _role(self, name: str, policy: dict[str, Any]) -> str:
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        made = self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
        self.iam.attach_role_policy(RoleName=name, PolicyArn=made)
        return str(made)

    def task_role(self, statements: dict[str, dict[str, Any]]) -> str:
        self._role("task", document(statements))
        return f"{PREFIX}task"

    def _push_image(self) -> str:
        """Push an image with nothing but a Python; its command prints hello."""
        client = RegistryClient(self.aws)
        config, layer = _image()
        parts = [
            {"mediaType": kind, "digest": client.push_blob("batch", data), "size": len(data)}
            for kind, data in ((CONFIG, config), (LAYER, layer))
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
        body = json.dumps(manifest).encode()
        assert client.push("batch", "v1", body).status == 201
        return f"{self.aws.endpoint.removeprefix('http://')}/batch@{digest_of(body)}"

    def define(self, *commands: str, **changes: Any) -> str:
        """Register a task definition whose container `main` runs this Python; return its ARN. `task_…` changes the task's."""
        container = {
            "name": "main",
            "image": self.image,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/tasks",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "run",
                },
            },
            **({"command": ["-c", "\n".join(commands)]} if commands else {}),
        }
        own = {name.removeprefix("task_"): changes.pop(name) for name in list(changes) if name.startswith("task_")}
        task = {
            "family": "job",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": f"{PREFIX}execution",
            "containerDefinitions": [container | changes],
        }
        answer = self.ecs.register_task_definition(**task | own)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, **changes: Any) -> str:
        """RunTask; return the task's ARN."""
        asked = {"cluster": "jobs", "taskDefinition": definition, "networkConfiguration": self.network}
        answer = self.ecs.run_task(**asked | changes)
        assert not answer["failures"]
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_tasks(cluster="jobs", tasks=[arn], include=["TAGS"])["tasks"][0])

    def wait(self, arn: str, status: str = "STOPPED") -> dict[str, Any]:
        """Wait until the task is in this state; return it."""
        wait_for(lambda: self.task(arn)["lastStatus"] == status, f"{arn} to be {status}", timeout=60, interval=0.02)
        return self.task(arn)

    def finish(self, *commands: str, **changes: Any) -> dict[str, Any]:
        """Define, run, and wait for the end."""
        return self.wait(self.run(self.define(*commands, **changes)))

    def lines(self, arn: str, container: str = "main") -> list[str]:
        """What a container has printed."""
        events = self.aws.client("logs").get_log_events(
            logGroupName="/tasks", logStreamName=f"run/{container}/{arn.rpartition('/')[2]}", startFromHead=True
        )
        return [event["message"] for event in events["events"]]

    def wait_for_line(self, arn: str, text: str) -> None:
        """Wait until a container has printed it."""

        def there() -> bool:
            streams = self.aws.client("logs").describe_log_streams(logGroupName="/tasks")["logStreams"]
            names = [one["logStreamName"] for one in streams]
            return f"run/main/{arn.rpartition('/')[2]}" in names and text in self.lines(arn)

        wait_for(there, f"the line {text}", timeout=30, interval=0.05)
