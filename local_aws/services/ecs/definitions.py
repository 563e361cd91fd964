"""A task definition with the overrides of one RunTask: what is to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.ecs.models import TaskDefinition

from local_aws.services.ecs.errors import InvalidParameterException, unknown
from local_aws.strict.documented.ecs import fargate_size

_UNKNOWN = {
    "environmentFiles": "environment files (environmentFiles)",
    "firelensConfiguration": "FireLens",
    "mountPoints": "volumes of tasks",
    "volumesFrom": "volumes of tasks",
    "repositoryCredentials": "other registries than ECR",
    "healthCheck": "health checks of containers",
}


@dataclass(frozen=True)
class ContainerPlan:
    """One container as it is to run."""

    name: str
    image: str
    essential: bool
    entrypoint: list[str] | None
    command: list[str] | None
    environment: dict[str, str]
    secrets: dict[str, str]  # name to valueFrom
    working_directory: str | None
    user: str | None
    memory_mib: int | None
    stop_seconds: int
    logs: dict[str, str]  # options of awslogs; empty without
    after: dict[str, str] = field(default_factory=dict)  # container to condition


@dataclass(frozen=True)
class TaskPlan:
    """A task as it is to run."""

    cpu: int
    memory_mib: int
    task_role: str
    execution_role: str
    containers: tuple[ContainerPlan, ...]


def plan(definition: TaskDefinition, overrides: dict[str, Any]) -> TaskPlan:
    """Return what a RunTask with these overrides asks for. InvalidParameterException for what cannot be."""
    own = {one["name"]: one for one in overrides.get("containerOverrides", [])}
    names = [one["name"] for one in definition.container_definitions]
    for name in own:
        if name not in names:
            raise InvalidParameterException(
                f"Override for container named {name} is not a container in the TaskDefinition."
            )
    size = fargate_size(overrides.get("cpu") or definition.cpu, overrides.get("memory") or definition.memory)
    if size is None:
        raise InvalidParameterException("No Fargate configuration exists for given values.")
    containers = tuple(_container(one, own.get(one["name"], {})) for one in definition.container_definitions)
    for one in containers:
        for other in one.after:
            if other not in names:
                raise InvalidParameterException(
                    f"Container '{one.name}' depends on '{other}', which is not in the task definition."
                )
    return TaskPlan(
        *size,
        overrides.get("taskRoleArn") or getattr(definition, "task_role_arn", "") or "",
        overrides.get("executionRoleArn") or getattr(definition, "execution_role_arn", "") or "",
        containers,
    )


def _container(one: dict[str, Any], own: dict[str, Any]) -> ContainerPlan:
    for name, what in _UNKNOWN.items():
        if one.get(name) or own.get(name):
            raise unknown(what)
    logs = one.get("logConfiguration") or {}
    if logs and logs["logDriver"] != "awslogs":
        raise unknown(f"the log driver {logs['logDriver']}")
    after = {other["containerName"]: other["condition"] for other in one.get("dependsOn") or []}
    if "HEALTHY" in after.values():
        raise unknown(_UNKNOWN["healthCheck"])
    environment = {pair["name"]: pair["value"] for pair in one.get("environment") or []}
    environment |= {pair["name"]: pair["value"] for pair in own.get("environment") or []}
    return ContainerPlan(
        name=one["name"],
        image=one["image"],
        essential=one.get("essential", True),
        entrypoint=one.get("entryPoint") or None,
        command=own.get("command") or one.get("command") or None,
        environment=environment,
        secrets={pair["name"]: pair["valueFrom"] for pair in one.get("secrets") or []},
        working_directory=one.get("workingDirectory"),
        user=one.get("user"),
        memory_mib=own.get("memory") or one.get("memory"),
        stop_seconds=int(one.get("stopTimeout") or 30),
        logs=logs.get("options", {}) if logs else {},
        after=after,
    )
