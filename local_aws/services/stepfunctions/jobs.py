"""Jobs that a Task state waits for: .sync of a task of ECS and of another execution.

moto 5.2.5 lets a task of ECS succeed whatever its exit code, and stops nothing when the execution is stopped.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-sync
https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_ecs
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_aws.iam.service_roles import NotAssumable
from local_aws.services.patching import replace
from local_aws.services.stepfunctions.failures import FailureEvent
from local_aws.services.stepfunctions.run import Interrupted, Waiter, wait_until
from local_aws.services.stepfunctions.task_states import cause_of, client_of, exception_name, once, task_failed
from local_aws.services.stepfunctions.tokens import wait_for_token

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between two looks at a job


def install() -> None:
    """Let moto do this."""
    replace(StateTaskServiceCallback, _eval_integration_pattern=_eval_integration_pattern)
    # Each attempt has a token of its own: see task_states.py.
    replace(StateTaskServiceCallback, _eval_body=StateTaskService._eval_body)
    replace(StateTaskServiceEcs, _eval_service_task=_run_ecs_task, _build_sync_resolver=_build_ecs_resolver)
    replace(StateTaskServiceEcs, _from_error=_from_ecs_error)
    state_task_service_ecs._SUPPORTED_API_PARAM_BINDINGS["runtask"].add("CapacityProviderStrategy")


class Endings:
    """Who waits for which execution's end."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}
        self._lock = threading.Lock()

    def wait_for(self, arn: str, waiter: Waiter) -> None:
        """Wake `waiter` when the execution is over."""
        with self._lock:
            self._waiters.setdefault(arn, []).append(waiter)

    def tell(self, arn: str) -> None:
        """The execution is over."""
        with self._lock:
            waiters = self._waiters.pop(arn, [])
        for waiter in waiters:
            waiter.wake()


endings = Endings()


def _eval_integration_pattern(
    self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> None:
    submitted = env.stack.pop()
    given = {
        "env": env,
        "resource_runtime_part": resource_runtime_part,
        "normalised_parameters": normalised_parameters,
        "state_credentials": state_credentials,
    }

    def wait() -> None:
        if self.resource.condition == ResourceCondition.WaitForTaskToken:
            env.stack.append(wait_for_token(self, env))
            return
        env.stack.append(submitted)
        synchronous = self.resource.condition == ResourceCondition.Sync
        resolver = (self._build_sync_resolver if synchronous else self._build_sync2_resolver)(**given)
        try:
            env.stack.append(_wait_for_job(self, env, resolver, submitted))
        except Interrupted:
            _stop_job(self, submitted, resource_runtime_part.region, state_credentials)
            raise

    once(self, env, wait)


def _wait_for_job(self: Any, env: Any, look: Callable[[], Any], submitted: Any) -> Any:
    found: list[Any] = []

    def is_over() -> bool:
        answer = look()
        if answer:
            found.append(answer)
        return bool(answer)

    if isinstance(self, StateTaskServiceSfn):
        # The other execution may wait for time, so this one rests until it is told of the end.
        arn = submitted["ExecutionArn"]
        wait_until(env, is_over, what=arn, register=lambda waiter: endings.wait_for(arn, waiter))
        return found[0]
    pause = _FIRST_PAUSE
    while not is_over():
        _look_again_after(env, pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)
    return found[0]


def _look_again_after(env: Any, seconds: float) -> None:
    """The job is at work in real time, and so is this path: AWS's clock is not advanced meanwhile."""
    if not env.is_running():
        raise Interrupted
    env.program_state_event.wait(seconds)
    if not env.is_running():
        raise Interrupted


def _stop_job(self: Any, submitted: Any, region: str, state_credentials: Any) -> None:
    """What was waited for ends with the task that waited."""
    with contextlib.suppress(ClientError, BotoCoreError, NotAssumable):
        if isinstance(self, StateTaskServiceEcs):
            [task] = submitted["Tasks"]
            client = client_of(region, "ecs", state_credentials)
            client.stop_task(cluster=task["ClusterArn"], task=task["TaskArn"], reason="Stopped by AWS Step Functions")
        elif isinstance(self, StateTaskServiceSfn):
            client = client_of(region, "stepfunctions", state_credentials)
            client.stop_execution(executionArn=submitted["ExecutionArn"])


def _run_ecs_task(
    self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> None:
    client = client_of(resource_runtime_part.region, "ecs", state_credentials)
    answer = client.run_task(**normalised_parameters)
    answer.pop("ResponseMetadata", None)
    if not answer.get("tasks"):
        raise task_failed(self, env, "States.TaskFailed", to_json_str({"Failures": answer.get("failures", [])}))
    env.stack.append(answer)


def _build_ecs_resolver(
    self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> Callable[[], Any]:
    [submitted, *_] = env.stack.pop()["Tasks"]
    client = client_of(resource_runtime_part.region, "ecs", state_credentials)

    def look() -> Any:
        answer = client.describe_tasks(cluster=submitted["ClusterArn"], tasks=[submitted["TaskArn"]])
        if not answer["tasks"]:
            raise task_failed(self, env, "States.TaskFailed", to_json_str({"Failures": answer.get("failures", [])}))
        [task] = answer["tasks"]
        if task["lastStatus"] != "STOPPED":
            return None
        codes = [container.get("exitCode") for container in task.get("containers", [])]
        failed = (
            any(codes)
            or None in codes
            or task.get("stopCode", "EssentialContainerExited") != "EssentialContainerExited"
        )
        self._normalise_response(response=answer, service_action_name="describe_tasks")
        [task] = answer["Tasks"]
        if failed:
            raise task_failed(self, env, "States.TaskFailed", to_json_str(task))
        return task

    return look


def _from_ecs_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
    if isinstance(ex, ClientError):
        return task_failed(self, env, f"ECS.{exception_name(ex)}", cause_of(ex, "AmazonECS")).failure_event
    return StateTaskServiceCallback._from_error(self, env=env, ex=ex)
