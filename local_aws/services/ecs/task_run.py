"""One task from PENDING to STOPPED, in a thread of its own.

The order is Fargate's: roles, secrets and logs, then images, then containers. Whatever fails before the containers run
ends in stopCode TaskFailedToStart: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import functools
import logging
import platform
import threading
import time
from typing import Any

from moto.ecs.models import Task

from local_aws.containers.memory import MemoryLimit
from local_aws.containers.oci import Image, ImageError
from local_aws.services.aws import Aws
from local_aws.services.ecr import images
from local_aws.services.ecs import states
from local_aws.services.ecs.container import OUT_OF_MEMORY, Container
from local_aws.services.ecs.definitions import ContainerPlan, TaskPlan
from local_aws.services.ecs.endpoints import Endpoints
from local_aws.services.ecs.errors import TaskFailed
from local_aws.services.ecs.logs import LogDriver
from local_aws.services.ecs.roles import Session
from local_aws.services.ecs.secrets import value_of

log = logging.getLogger("local_aws.ecs")


class TaskRun:
    """`task` is moto's; it is changed under AWS's lock alone."""

    def __init__(self, aws: Aws, task: Task, plan: TaskPlan, endpoints: Endpoints) -> None:
        self.task = task
        self._aws = aws
        self._plan = plan
        self._endpoints = endpoints
        self._offers: list[str] = []
        self._execution = Session(aws, plan.execution_role, task.task_arn) if plan.execution_role else None
        descriptions: Any = task.containers
        self._containers = [self._container(*pair) for pair in zip(plan.containers, descriptions, strict=True)]
        self._limit = MemoryLimit(plan.memory_mib * 1024**2, self._too_much_memory)
        self._something = threading.Condition()
        self._stop: tuple[str, str] | None = None  # code and reason, of the first who wants it to stop
        self._abandoned = False
        self._end_of_work = aws.clock.begin(f"task {task.id}")
        self._thread = threading.Thread(target=self._run, name=f"task-{task.id}", daemon=True)

    def start(self) -> None:
        """Go. Nobody waits for it."""
        self._thread.start()

    def stop(self, code: str, reason: str) -> None:
        """End it: SIGTERM, its time, SIGKILL. Without effect when it is ending."""
        with self._something:
            self._stop = self._stop or (code, reason)
            self._something.notify_all()

    def abandon(self) -> None:
        """Kill it and forget it: the account is emptied, or the embedded AWS ends. Returns when nothing is left."""
        self._abandoned = True
        self.stop("UserInitiated", "")
        deadline = time.monotonic() + 10
        while self._thread.is_alive() and time.monotonic() < deadline:
            for container in self._containers:
                container.kill()
            self._thread.join(timeout=0.05)

    def describe(self) -> dict[str, Any]:
        """For `status`."""
        pids = {one.plan.name: one.pid for one in self._containers if one.pid}
        return {"task": self.task.task_arn, "status": self.task.last_status, "processes": pids}

    def _container(self, plan: ContainerPlan, description: dict[str, Any]) -> Container:
        driver = LogDriver(self._aws, plan.logs, plan.name, self.task.id, self._execution_credentials)
        return Container(self._aws, plan, self.task.id, description, driver)

    def _execution_credentials(self) -> dict[str, str]:
        if self._execution is None:
            raise TaskFailed("ResourceInitializationError: this task has no execution role")
        return self._execution.credentials()

    def _run(self) -> None:
        code, reason = "TaskFailedToStart", ""
        try:
            states.change(self._aws, self.task, "PENDING", connectivity="CONNECTED", connectivity_at=self._now())
            try:
                self._start()
                code, reason = self._until_it_stops()
            except TaskFailed as error:
                code, reason = self._stop or (code, str(error))
                self._note_failure(error)
            except Exception as error:
                log.exception("task %s", self.task.id)
                reason = f"Unexpected EC2 error while attempting to run the task: {error}"
            self._end(code, reason)
        finally:
            self._limit.stop()
            for name in self._offers:
                self._endpoints.withdraw(name)
            self._end_of_work()
            finished(self)

    # From PENDING to RUNNING.

    def _start(self) -> None:
        aws, task, plan = self._aws, self.task, self._plan
        variables = self._variables()
        if self._execution is not None:
            self._execution.credentials()
        secret = {one.name: self._secrets_of(one) for one in plan.containers}
        for container in self._containers:
            why = container.log.open()
            if why:
                raise TaskFailed(
                    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
                    f"failed to create Cloudwatch log stream: {why} : exit status 1"
                )
        states.change(aws, task, pull_started_at=self._now())
        pulled = [self._pull(container) for container in self._containers]
        states.change(aws, task, pull_stopped_at=self._now())
        for container, image in self._in_order(pulled):
            self._wait_for_others(container)
            if self._stop is not None:
                raise TaskFailed(self._stop[1])
            name, uri = self._endpoints.offer_metadata(functools.partial(self._metadata, container))
            self._offers.append(name)
            given = {**variables, **uri, **secret[container.plan.name]}
            container.start(image, given, plan.memory_mib)
            if image.level == "process" and container.pid:
                self._limit.watch(container.pid)
            with aws.lock:
                container.description |= {
                    "lastStatus": "RUNNING",
                    "runtimeId": f"{task.id.replace('-', '')}-{len(self._offers)}",
                }
        states.change(aws, task, "RUNNING", started_at=self._now())

    def _variables(self) -> dict[str, str]:
        """What every container of the task finds in its environment."""
        variables = {**self._aws.environment(region=self.task.region_name), "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}
        if self._plan.task_role:
            session = Session(self._aws, self._plan.task_role, self.task.task_arn)
            session.credentials()
            name, uri = self._endpoints.offer_credentials(session)
            self._offers.append(name)
            variables |= uri
        return variables

    def _secrets_of(self, plan: ContainerPlan) -> dict[str, str]:
        return {
            name: value_of(self._aws, source, self._execution_credentials(), self.task.region_name)
            for name, source in plan.secrets.items()
        }

    def _pull(self, container: Container) -> Image:
        plan = container.plan
        try:
            image = images.pull(self._aws, plan.image, self._execution_credentials(), self.task.region_name)
            images.unpack(image)
        except ImageError as error:
            raise TaskFailed(
                f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
                f"{plan.image}: {error}",
                plan.name,
            ) from error
        with self._aws.lock:
            container.description["imageDigest"] = image.digest
        return image

    def _in_order(self, pulled: list[Image]) -> list[tuple[Container, Image]]:
        """Containers after the ones that they depend on."""
        left = list(zip(self._containers, pulled, strict=True))
        ordered: list[tuple[Container, Image]] = []
        while left:
            names = {one.plan.name for one, _ in ordered}
            ready = [pair for pair in left if set(pair[0].plan.after) <= names]
            if not ready:
                raise TaskFailed(
                    "ResourceInitializationError: the containers of this task depend on each other in a circle"
                )
            ordered += ready
            left = [pair for pair in left if pair not in ready]
        return ordered

    def _wait_for_others(self, container: Container) -> None:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html"""
        for other in self._containers:
            condition = container.plan.after.get(other.plan.name)
            if condition not in ("COMPLETE", "SUCCESS"):
                continue
            while not other.ended.wait(timeout=0.05):
                if self._stop is not None:
                    raise TaskFailed(self._stop[1])
            if condition == "SUCCESS" and other.exit_code != 0:
                raise TaskFailed(
                    f"dependency: container {other.plan.name} did not end with exit code 0", container.plan.name
                )

    # From RUNNING to STOPPED.

    def _until_it_stops(self) -> tuple[str, str]:
        """Wait for the end of an essential container, or of all, or for somebody who stops the task."""
        while True:
            if self._stop is not None:
                return self._stop
            if any(one.ended.is_set() for one in self._containers if one.plan.essential):
                return "EssentialContainerExited", "Essential container in task exited"
            with self._something:
                self._something.wait(timeout=0.02)

    def _end(self, code: str, reason: str) -> None:
        ran = self.task.last_status == "RUNNING"
        values: dict[str, Any] = {"stop_code": code, "stopped_reason": reason or None}
        if self._abandoned:
            self._end_containers(0)
            return
        states.change(self._aws, self.task, desired_status="STOPPED", stopping_at=self._now(), **values)
        self._end_containers(None)
        with self._aws.lock:
            for container in self._containers:
                self._describe_end(container)
        over = {"execution_stopped_at": self._now()} if ran else {}
        states.change(self._aws, self.task, "DEPROVISIONING", **over)
        states.stopped(self._aws, self.task)

    def _end_containers(self, grace: float | None) -> None:
        """Ask all containers to end, and kill those that have not within their time (real seconds)."""
        running = [one for one in self._containers if one.started.is_set()]
        for one in running:
            one.ask_to_end()
        begun = time.monotonic()
        for one in running:
            allowed = one.plan.stop_seconds if grace is None else grace
            while not one.ended.wait(timeout=0.02):
                if self._abandoned or time.monotonic() - begun > allowed:
                    one.kill()

    @staticmethod
    def _describe_end(container: Container) -> None:
        description = container.description
        if container.exit_code is not None:
            description["exitCode"] = container.exit_code
        if container.out_of_memory:
            description["reason"] = OUT_OF_MEMORY

    def _note_failure(self, error: TaskFailed) -> None:
        with self._aws.lock:
            for container in self._containers:
                if container.plan.name == error.container:
                    container.description["reason"] = str(error)

    def _too_much_memory(self, pid: int) -> None:
        for container in self._containers:
            if container.pid == pid:
                container.kill(out_of_memory=True)

    def _now(self) -> Any:
        return self._aws.clock.utcnow()

    # What a container reads about itself.

    def _metadata(self, container: Container, rest: str) -> Any:
        with self._aws.lock:
            if rest == "":
                return self._of_container(container)
            if rest in ("task", "taskWithTags"):
                return self._of_task()
        return None

    def _of_container(self, container: Container) -> dict[str, Any]:
        description, task = container.description, self.task
        labels = {
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.plan.name,
            "com.amazonaws.ecs.task-arn": task.task_arn,
            "com.amazonaws.ecs.task-definition-family": task.task_definition_arn.rpartition("/")[2].partition(":")[0],
            "com.amazonaws.ecs.task-definition-version": task.task_definition_arn.rpartition(":")[2],
        }
        found = {
            "DockerId": description.get("runtimeId", ""),
            "Name": container.plan.name,
            "DockerName": container.plan.name,
            "Image": container.plan.image,
            "ImageID": description.get("imageDigest", ""),
            "Labels": labels,
            "DesiredStatus": task.desired_status,
            "KnownStatus": description["lastStatus"],
            "Limits": {"CPU": self._plan.cpu, "Memory": container.plan.memory_mib or self._plan.memory_mib},
            "Type": "NORMAL",
            "ContainerARN": description["containerArn"],
        }
        if container.plan.logs:
            options = {**container.plan.logs, "awslogs-stream": container.log.stream}
            found |= {"LogDriver": "awslogs", "LogOptions": options}
        return found

    def _of_task(self) -> dict[str, Any]:
        task = self.task
        shown = states.described(task)
        return {
            "Cluster": task.cluster_arn,
            "TaskARN": task.task_arn,
            "Family": task.task_definition_arn.rpartition("/")[2].partition(":")[0],
            "Revision": task.task_definition_arn.rpartition(":")[2],
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.last_status,
            "Limits": {"CPU": self._plan.cpu / 1024, "Memory": self._plan.memory_mib},
            "PullStartedAt": shown.get("pullStartedAt"),
            "PullStoppedAt": shown.get("pullStoppedAt"),
            "AvailabilityZone": shown.get("availabilityZone"),
            "LaunchType": "FARGATE",
            "Containers": [self._of_container(one) for one in self._containers],
            "ClockDrift": {"ClockSynchronizationStatus": "SYNCHRONIZED"},
        }


# The tasks that are under way, by id. Not on moto's objects: threads and processes cannot be kept over a crash.
runs: dict[str, TaskRun] = {}


def finished(run: TaskRun) -> None:
    """Forget a task's run; the task stays, as moto's."""
    runs.pop(run.task.id, None)


ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
