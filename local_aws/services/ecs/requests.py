"""RunTask, StopTask, DescribeTasks and ListTasks in place of moto's, where a task is born running without a process.

What stays moto's: clusters, task definitions, tags, the Task object and its network interface.
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta, timezone
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ecs.models import EC2ContainerServiceBackend, Task, TaskDefinition, ecs_backends
from moto.ecs.responses import DESCRIBE_TASKS_TAGS, EC2ContainerServiceResponse
from moto.iam.models import iam_backends

from local_aws import fault_injection
from local_aws.iam.needs.ecs import LINKED_SERVICE, linked_role_exists
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.ecs import placement, states
from local_aws.services.ecs.definitions import TaskPlan, plan
from local_aws.services.ecs.endpoints import Endpoints
from local_aws.services.ecs.errors import AmazonECSException, Conflict, InvalidParameterException, unknown
from local_aws.services.ecs.task_run import ARCHITECTURE, TaskRun, runs
from local_aws.services.patching import add, replace

_NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
_KEPT = timedelta(hours=1)  # that a stopped task is shown
_EXEC = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command agent "
    "isn't running. Wait and try again or run a new task with execute command enabled and try again."
)


def answer_requests(aws: Aws, endpoints: Endpoints) -> None:
    """Put our answers into moto. Call once."""

    def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
        return ActionResult({"tasks": _run_task(aws, endpoints, self), "failures": []})

    replace(
        EC2ContainerServiceResponse,
        run_task=run_task,
        stop_task=_stop_task,
        describe_tasks=_describe_tasks,
        list_tasks=_list_tasks,
        describe_clusters=_with_counts(EC2ContainerServiceResponse.describe_clusters),
        create_cluster=_with_linked_role(EC2ContainerServiceResponse.create_cluster),
        put_cluster_capacity_providers=_with_linked_role(EC2ContainerServiceResponse.put_cluster_capacity_providers),
    )
    replace(EC2ContainerServiceResponse, start_task=_not_known("tasks on instances (StartTask)"))
    replace(EC2ContainerServiceResponse, create_service=_not_known("services of ECS (CreateService)"))
    add(EC2ContainerServiceResponse, execute_command=_execute_command)


def _not_known(what: str) -> Any:
    def refuse(self: EC2ContainerServiceResponse) -> ActionResult:
        raise unknown(what)

    return refuse


def _with_linked_role(of_moto: Any) -> Any:
    """With capacity providers the account gets ECS's service-linked role; that the caller may make it is asked before."""

    def answer(self: EC2ContainerServiceResponse) -> ActionResult:
        if self._get_param("capacityProviders") and not linked_role_exists(ACCOUNT):
            iam_backends[ACCOUNT]["aws"].create_service_linked_role(LINKED_SERVICE, "", "")
        return of_moto(self)

    return answer


def _execute_command(self: EC2ContainerServiceResponse) -> ActionResult:
    raise InvalidParameterException(_EXEC)


def _run_task(aws: Aws, endpoints: Endpoints, response: EC2ContainerServiceResponse) -> list[Task]:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html"""
    asked = {name: value for name, value in response._get_params().items() if value is not None}
    backend: Any = response.ecs_backend
    _forget_old(aws, backend)
    token = asked.get("clientToken")
    fingerprint = json.dumps({**asked, "clientToken": None}, sort_keys=True, default=str)
    used = getattr(backend, "local_aws_run_tokens", {})
    if token in used:
        return _same_again(backend, used[token], fingerprint)
    if asked.get("enableExecuteCommand"):
        raise unknown("ECS Exec (enableExecuteCommand)")
    if asked.get("volumeConfigurations"):
        raise unknown("volumes of tasks")
    cluster = backend._get_cluster(asked.get("cluster", "default"))
    if cluster.status != "ACTIVE":
        raise InvalidParameterException("Cluster is inactive.")
    definition = backend.describe_task_definition(asked["taskDefinition"])
    overrides = asked.get("overrides") or {}
    count = int(asked.get("count", 1))
    providers = placement.providers(cluster, asked.get("launchType"), asked.get("capacityProviderStrategy"), count)
    placement.require_fargate(definition)
    task_plan = plan(definition, overrides)
    network = placement.network(definition, asked.get("networkConfiguration"), response.region)
    refused = fault_injection.read(aws.home).no_capacity
    if any((provider or placement.FARGATE) in refused for provider in providers):
        raise AmazonECSException(_NO_CAPACITY)
    made = [
        _new_task(aws, backend, cluster, definition, task_plan, asked, overrides, network, provider)
        for provider in providers
    ]
    if token:
        backend.local_aws_run_tokens = {**used, token: (fingerprint, [task.task_arn for task in made])}
    for task in made:
        states.change(aws, task)
        runs[task.id] = TaskRun(aws, task, task_plan, endpoints)
        runs[task.id].start()
    return made


def _same_again(backend: Any, earlier: tuple[str, list[str]], fingerprint: str) -> list[Task]:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html"""
    before, arns = earlier
    if before != fingerprint:
        raise Conflict("The clientToken was used before, in a request with other parameters.")
    return [task for tasks in backend.tasks.values() for task in tasks.values() if task.task_arn in arns]


def _new_task(
    aws: Aws,
    backend: Any,
    cluster: Any,
    definition: TaskDefinition,
    task_plan: TaskPlan,
    asked: dict[str, Any],
    overrides: dict[str, Any],
    network: dict[str, Any],
    provider: str | None,
) -> Task:
    tags = list(asked.get("tags") or [])
    if asked.get("propagateTags") == "TASK_DEFINITION":
        own = {tag["key"] for tag in tags}
        tags += [tag for tag in definition.tags if tag["key"] not in own]
    if asked.get("enableECSManagedTags"):
        tags.append({"key": "aws:ecs:clusterName", "value": cluster.name})
    task: Any = Task(
        cluster=cluster,
        task_definition=definition,
        container_instance_arn=None,
        resource_requirements=None,
        backend=backend,
        group=asked.get("group") or f"family:{definition.family}",
        launch_type="FARGATE",
        overrides=overrides,
        started_by=asked.get("startedBy", ""),
        tags=tags,
        networking_configuration=network,
        platform_version="1.4.0",
        capacity_provider_name=provider,
    )
    subnet = ec2_backends[ACCOUNT][backend.region_name].get_subnet(network["awsvpcConfiguration"]["subnets"][0])
    task.id = uuid.uuid4().hex
    task.last_status = "PROVISIONING"
    task.created_at = aws.clock.utcnow()
    task.cpu, task.memory = str(task_plan.cpu), str(task_plan.memory_mib)
    task.availability_zone = subnet.availability_zone
    task.platform_family = "Linux"
    task.attributes = [{"name": "ecs.cpu-architecture", "value": ARCHITECTURE}]
    task.ephemeral_storage = {"sizeInGiB": (definition.ephemeral_storage or {}).get("sizeInGiB", 20)}
    task.enable_execute_command = False
    task.stopped_reason = None
    # moto describes the first container alone, and gives all of them an exit code of 0 before they run.
    task.containers = [_container(task, one, place) for place, one in enumerate(definition.container_definitions)]
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    return task  # type: ignore[no-any-return]


def _container(task: Any, definition: dict[str, Any], place: int) -> dict[str, Any]:
    details = {one["name"]: one["value"] for attachment in task.attachments for one in attachment["details"]}
    interfaces = [
        {"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]}
        for attachment in task.attachments
    ]
    described = {
        "containerArn": f"{task.task_arn.replace(':task/', ':container/')}/{uuid.uuid4()}",
        "taskArn": task.task_arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "networkInterfaces": interfaces,
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu", 0)),
    }
    for name in ("memory", "memoryReservation"):
        if definition.get(name):
            described[name] = str(definition[name])
    return described


def _stop_task(self: EC2ContainerServiceResponse) -> ActionResult:
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    task = _find(self.ecs_backend, cluster.name, self._get_param("task"))
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    run = runs.get(task.id)
    if run is not None and task.desired_status != "STOPPED":
        task.desired_status = "STOPPED"
        run.stop("UserInitiated", self._get_param("reason") or "Task stopped by user")
    return ActionResult({"task": task})


def _describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
    """moto looks into every cluster, leaves out what it does not find, and moves a task on when it is looked at."""
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    names = self._get_param("tasks") or []
    if not names:
        raise InvalidParameterException("Tasks cannot be empty.")
    found = {name: _find(self.ecs_backend, cluster.name, name) for name in names}
    if "TAGS" in (self._get_param("include") or []):
        self._include_in_response(DESCRIBE_TASKS_TAGS)
    else:
        self._exclude_from_response(DESCRIBE_TASKS_TAGS)
    prefix = cluster.arn.replace(":cluster/", ":task/")
    failures = [
        {"arn": name if name.startswith("arn:") else f"{prefix}/{name}", "reason": "MISSING"}
        for name, task in found.items()
        if task is None
    ]
    return ActionResult({"tasks": [task for task in found.values() if task is not None], "failures": failures})


def _list_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
    """moto shows stopped tasks, too, and all of them at once."""
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    desired = self._get_param("desiredStatus") or "RUNNING"
    wanted = {
        name: self._get_param(parameter)
        for name, parameter in (("started_by", "startedBy"), ("launch_type", "launchType"))
        if self._get_param(parameter)
    }
    family = self._get_param("family")
    arns = [
        task.task_arn
        for task in self.ecs_backend.tasks.get(cluster.name, {}).values()
        if task.desired_status == desired
        and all(getattr(task, name) == value for name, value in wanted.items())
        and (not family or task.task_definition_arn.rpartition("/")[2].partition(":")[0] == family)
    ]
    begin = int(self._get_param("nextToken") or 0)
    end = begin + int(self._get_param("maxResults") or 100)
    more = {"nextToken": str(end)} if end < len(arns) else {}
    return ActionResult({"taskArns": arns[begin:end], **more})


def _with_counts(describe_clusters: Any) -> Any:
    """moto counts tasks on instances alone."""

    def counted(self: EC2ContainerServiceResponse) -> ActionResult:
        for cluster in self.ecs_backend.clusters.values():
            states_now = [task.last_status for task in self.ecs_backend.tasks.get(cluster.name, {}).values()]
            cluster.running_tasks_count = states_now.count("RUNNING")
            cluster.pending_tasks_count = states_now.count("PROVISIONING") + states_now.count("PENDING")
        answer: ActionResult = describe_clusters(self)
        return answer

    return counted


def _find(backend: EC2ContainerServiceBackend, cluster: str, name: str) -> Any:
    """A task of a cluster by its ARN or its id."""
    tasks = list(backend.tasks.get(cluster, {}).values())
    return next((task for task in tasks if name in (task.task_arn, task.id)), None)


def _forget_old(aws: Aws, backend: Any) -> None:
    limit = aws.clock.utcnow() - _KEPT
    for tasks in backend.tasks.values():
        for arn, task in list(tasks.items()):
            when = getattr(task, "stopped_at", None)
            if when is not None and when.replace(tzinfo=timezone.utc) < limit:
                del tasks[arn]


def all_tasks() -> list[Task]:
    """The tasks of every region and cluster."""
    return [
        task
        for backend in list(ecs_backends[ACCOUNT].values())
        for tasks in backend.tasks.values()
        for task in tasks.values()
    ]
