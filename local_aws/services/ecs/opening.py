"""Opens ECS."""

from __future__ import annotations

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecs.models import Task

from local_aws.services.aws import Aws
from local_aws.services.ecs import requests, states
from local_aws.services.ecs.endpoints import PREFIX, Endpoints
from local_aws.services.ecs.task_run import runs


def open_service(aws: Aws) -> None:
    """Make tasks run. The caller holds the lock."""
    endpoints = Endpoints(aws)
    aws.planes[PREFIX] = endpoints
    _states_are_ours()
    _interfaces_without_names()
    requests.answer_requests(aws, endpoints)
    aws.at_reset(_abandon_all)
    aws.at_stop(_abandon_all)
    aws.describe_by("tasks", lambda: [run.describe() for run in list(runs.values())])


def resume(aws: Aws) -> None:
    """After a crash of the daemon: tasks have lost their host."""
    for task in requests.all_tasks():
        if task.last_status != "STOPPED":
            reason = "The host of this task failed: the embedded AWS ended without stopping it."
            states.stopped(aws, task, stop_code="InfrastructureHealth", stopped_reason=reason)


def _states_are_ours() -> None:
    """moto's tasks change their state when somebody looks."""

    def set_status(self: Task, value: str) -> None:
        self._status = value

    Task.status = property(lambda self: self._status, set_status)  # type: ignore[assignment]
    Task.advance = lambda self: None  # type: ignore[method-assign]


def _interfaces_without_names() -> None:
    """moto's task asks its network interface for a name that one has only where the VPC gives host names."""
    if not hasattr(NetworkInterface, "private_dns_name"):
        NetworkInterface.private_dns_name = ""  # type: ignore[attr-defined]


def _abandon_all() -> None:
    for run in list(runs.values()):
        run.abandon()
