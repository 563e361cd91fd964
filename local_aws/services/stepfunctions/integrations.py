"""What Task states do: calls of AWS under the machine's role, jobs that are waited for, tokens.

moto 5.2.5 calls AWS with keys that nobody has, and without the parameters' names being turned into those of the API (ecs, states,
most of aws-sdk). A task of ECS succeeds whatever its exit code. Nothing is stopped with the execution. Heartbeats and tokens
follow the computer's clock.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

import contextlib
import copy
import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_ecs
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.eval.callback import callback
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_aws.clock import CLOCK
from local_aws.iam.service_roles import NotAssumable
from local_aws.services.aws import Aws
from local_aws.services.patching import replace
from local_aws.services.role_clients import client_in_role
from local_aws.services.stepfunctions.failures import FailureEvent, FailureEventException, failure
from local_aws.services.stepfunctions.run import Interrupted, Run, Waiter, wait_until

PRINCIPAL = "states.amazonaws.com"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between two looks at a job

# Names of services in aws-sdk resources that are not botocore's.
# https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
SDK_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "costexplorer": "ce",
}


def install(aws: Aws) -> None:
    """Let moto do this."""
    _install_clients(aws)
    _install_names()
    replace(StateTaskService, _eval_execution=_eval_execution)
    replace(StateTask, _from_error=_from_task_error(StateTask._from_error))
    replace(StateTaskServiceCallback, _eval_integration_pattern=_eval_integration_pattern)
    replace(StateTaskServiceCallback, _eval_body=StateTaskService._eval_body)
    replace(callback.CallbackEndpoint, notify=_notify, notify_heartbeat=_notify_heartbeat)
    replace(StateTaskServiceEcs, _eval_service_task=_run_ecs_task, _build_sync_resolver=_build_ecs_resolver)
    replace(StateTaskServiceEcs, _from_error=_from_ecs_error)
    state_task_service_ecs._SUPPORTED_API_PARAM_BINDINGS["runtask"].add("CapacityProviderStrategy")
    _install_lambda()


# Clients


def _install_clients(aws: Aws) -> None:
    """In the place of boto_client_for: clients in the state's role, which is that of its machine unless it has another."""

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        machine = state_credentials.local_aws_machine
        name = machine.rpartition(":")[2][:64]
        return client_in_role(
            aws,
            service,
            state_credentials.role_arn,
            principal=PRINCIPAL,
            session_name=name,
            source_arn=machine,
            region=region,
        )

    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "boto_client_for"):
            replace(module, boto_client_for=client_for)
    eval_credentials = StateTask._eval_state_credentials

    def eval_state_credentials(self: Any, env: Any) -> Any:
        found = eval_credentials(self, env)
        found.local_aws_machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
        return found

    replace(StateTask, _eval_state_credentials=eval_state_credentials)


# Names of parameters and of what is answered


def _install_names() -> None:
    from local_aws.strict.request import operation_of

    def operation(self: Any, service: str | None, action: str | None) -> Any:
        # Step Functions writes runTask where the API has RunTask.
        name = action or self.resource.api_action
        pascal = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
        found = operation_of(self._get_boto_service_name(service), pascal)
        if found is None:
            raise ValueError(f"The service {self.resource.api_name} has no operation {pascal}.")
        return found

    def normalise_parameters(
        self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = operation(self, boto_service_name, service_action_name).input_shape
        if shape is not None:
            self._to_boto_request(parameters, shape)

    def normalise_response(
        self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = operation(self, boto_service_name, service_action_name).output_shape
        if shape is not None:
            self._from_boto_response(response, shape)

    replace(StateTaskService, _normalise_parameters=normalise_parameters, _normalise_response=normalise_response)
    replace(StateTaskService, _to_boto_request_value=_to_boto_request_value)
    replace(StateTaskService, _SERVICE_NAME_SFN_TO_BOTO_OVERRIDES=SDK_NAMES)
    replace(StateTaskService, _from_boto_response_value=_from_boto_response_value)


def _to_boto_request_value(self: Any, value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        self._to_boto_request(value, shape)
    elif shape.type_name == "list" and isinstance(value, list):
        return [_to_boto_request_value(self, item, shape.member) for item in value]
    elif shape.type_name == "map" and isinstance(value, dict):
        return {key: _to_boto_request_value(self, item, shape.value) for key, item in value.items()}
    elif shape.type_name == "string" and not isinstance(value, str):
        return to_json_str(value)
    elif shape.type_name == "blob" and not isinstance(value, bytes):
        return (value if isinstance(value, str) else to_json_str(value, separators=(",", ":"))).encode()
    return value


def _from_boto_response_value(self: Any, value: Any) -> Any:
    """Data of JSON: times are text where the SDK is called, milliseconds where Step Functions has an integration."""
    if isinstance(value, datetime):
        if self.resource.service_name == "aws-sdk":
            return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return int(value.timestamp() * 1000)
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# What a Task state does


def _eval_execution(self: Any, env: Any) -> None:
    """One attempt of a Task state: as moto's, but each call and each wait is done once (see run.py), with a token of its own."""
    if self.resource.condition is not None:
        self._assert_integration_pattern_is_supported()
        token = _token(env)
        env.states.context_object.context_object_data["Task"] = {"Token": token}
        env.callback_pool_manager.add(token)
    self.resource.eval(env=env)
    where = env.stack.pop()
    raw = self._eval_parameters(env=env)
    credentials = self._eval_state_credentials(env=env)
    self._before_eval_execution(env=env, resource_runtime_part=where, raw_parameters=raw, state_credentials=credentials)
    parameters = copy.deepcopy(raw)
    self._normalise_parameters(parameters)
    given = {"resource_runtime_part": where, "normalised_parameters": parameters, "state_credentials": credentials}

    def call() -> None:
        self._eval_service_task(env=env, **given)
        self._normalise_response(env.stack[-1])

    once(self, env, call, submits=self.resource.condition is not None)
    self._after_eval_execution(env=env, **given)


def once(self: Any, env: Any, do: Callable[[], None], *, submits: bool = False) -> None:
    """Do what leaves its result on the stack, or take the result from the journal. A failure is kept as well."""
    run: Run = env.local_aws_run
    place = env.local_aws_place.next()
    kept = run.journal.get(place)
    if kept is None:
        try:
            do()
        except Exception as error:
            event: Any = _submit_failed(env, self._from_error(env=env, ex=error), submits)
            name = event.error_name.error_name if event.error_name is not None else ""
            run.note(place, {"failed": (name, event.event_type.value, dict(event.event_details))})
            raise FailureEventException(event) from error
        run.note(place, {"output": copy.deepcopy(env.stack[-1])})
    elif "output" in kept:
        env.stack.append(copy.deepcopy(kept["output"]))
    else:
        name, kind, details = kept["failed"]
        raise FailureEventException(failure(env, name, HistoryEventType(kind), details))


def _submit_failed(env: Any, event: FailureEvent, submits: bool) -> FailureEvent:
    """What begins a job and fails has an event of its own."""
    details: Any = event.event_details or {}
    if not submits or event.event_type != HistoryEventType.TaskFailed or "taskFailedEventDetails" not in details:
        return event
    failed = details["taskFailedEventDetails"]
    submitted = {"taskSubmitFailedEventDetails": failed}
    return failure(env, failed["error"], HistoryEventType.TaskSubmitFailed, submitted)


def _task_failed(self: Any, env: Any, error: str, cause: str) -> FailureEventException:
    details = {
        "resource": self._get_sfn_resource(),
        "resourceType": self._get_sfn_resource_type(),
        "error": error,
        "cause": cause,
    }
    return FailureEventException(failure(env, error, HistoryEventType.TaskFailed, {"taskFailedEventDetails": details}))


# Jobs and tokens


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
            env.stack.append(_wait_for_token(self, env))
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
            client = _client(region, "ecs", state_credentials)
            client.stop_task(cluster=task["ClusterArn"], task=task["TaskArn"], reason="Stopped by AWS Step Functions")
        elif isinstance(self, StateTaskServiceSfn):
            client = _client(region, "stepfunctions", state_credentials)
            client.stop_execution(executionArn=submitted["ExecutionArn"])


def _client(region: str, service: str, state_credentials: Any) -> Any:
    return state_task_service_ecs.boto_client_for(region=region, service=service, state_credentials=state_credentials)


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


def _token(env: Any) -> str:
    """Return the attempt's task token: after a crash the one that was given away."""
    run: Run = env.local_aws_run
    place = env.local_aws_place.next()
    token = run.journal.get(place) or callback.long_uid()
    run.note(place, token)
    return str(token)


def _wait_for_token(self: Any, env: Any) -> Any:
    token = env.states.context_object.context_object_data["Task"]["Token"]
    endpoint = env.callback_pool_manager.get(token)
    heartbeat = None
    if self.heartbeat:
        self.heartbeat.eval(env=env)
        heartbeat = env.stack.pop()
    while True:
        endpoint.local_aws_beat = False
        in_time = wait_until(
            env,
            lambda: endpoint.get_outcome() is not None or endpoint.local_aws_beat,
            what=f"a heartbeat of {self.name}" if heartbeat else f"the token of {self.name}",
            deadline=None if heartbeat is None else CLOCK.now() + heartbeat,
            register=lambda waiter: setattr(endpoint, "local_aws_waiter", waiter),
        )
        if not in_time:
            endpoint.report(callback.CallbackConsumerTimeout())
            raise callback.HeartbeatTimeoutError()
        outcome = endpoint.get_outcome()
        if isinstance(outcome, callback.CallbackOutcomeFailure):
            raise callback.CallbackOutcomeFailureError(callback_outcome_failure=outcome)
        if isinstance(outcome, callback.CallbackOutcomeSuccess):
            return json.loads(outcome.output)


def _notify(self: Any, outcome: Any) -> None:
    self._outcome = outcome
    _wake(self)


def _notify_heartbeat(self: Any) -> bool:
    self.local_aws_beat = True
    _wake(self)
    return True


def _wake(endpoint: Any) -> None:
    waiter = endpoint.__dict__.get("local_aws_waiter")
    if waiter is not None:
        waiter.wake()


def _from_task_error(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
    def from_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
        if isinstance(ex, callback.HeartbeatTimeoutError):
            event = self._get_timed_out_failure_event(env)
            name = "States.HeartbeatTimeout"
            details = {key: {**value, "error": name} for key, value in event.event_details.items()}
            return failure(env, name, event.event_type, details)
        return original(self, env=env, ex=ex)

    return from_error


# ECS


def _run_ecs_task(
    self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> None:
    client = _client(resource_runtime_part.region, "ecs", state_credentials)
    answer = client.run_task(**normalised_parameters)
    answer.pop("ResponseMetadata", None)
    if not answer.get("tasks"):
        raise _task_failed(self, env, "States.TaskFailed", to_json_str({"Failures": answer.get("failures", [])}))
    env.stack.append(answer)


def _build_ecs_resolver(
    self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> Callable[[], Any]:
    [submitted, *_] = env.stack.pop()["Tasks"]
    client = _client(resource_runtime_part.region, "ecs", state_credentials)

    def look() -> Any:
        answer = client.describe_tasks(cluster=submitted["ClusterArn"], tasks=[submitted["TaskArn"]])
        if not answer["tasks"]:
            raise _task_failed(self, env, "States.TaskFailed", to_json_str({"Failures": answer.get("failures", [])}))
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
            raise _task_failed(self, env, "States.TaskFailed", to_json_str(task))
        return task

    return look


def _from_ecs_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
    if isinstance(ex, ClientError):
        return _task_failed(self, env, f"ECS.{_exception(ex)}", _cause(ex, "AmazonECS")).failure_event
    return StateTaskServiceCallback._from_error(self, env=env, ex=ex)


def _exception(error: ClientError) -> str:
    code = str(error.response["Error"]["Code"])
    return code if code.endswith("Exception") else f"{code}Exception"


def _cause(error: ClientError, service: str) -> str:
    said, metadata = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f"{said['Message']} (Service: {service}; Status Code: {metadata['HTTPStatusCode']}; Error Code: {said['Code']}; "
        f"Request ID: {metadata.get('RequestId', '')}; Proxy: null)"
    )


# Lambda


def _install_lambda() -> None:
    execute = lambda_eval_utils.execute_lambda_function_integration
    eval_direct = StateTaskLambda._eval_execution

    def eval_direct_once(self: Any, env: Any) -> None:
        env.local_aws_direct = self
        eval_direct(self, env)

    def execute_once(env: Any, **given: Any) -> None:
        direct = env.__dict__.get(
            "local_aws_direct"
        )  # a function's ARN as Resource; lambda:invoke is done once already
        if direct is None:
            execute(env=env, **given)
        else:
            once(direct, env, lambda: execute(env=env, **given))

    def from_error(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
        def from_lambda_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
            if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
                error, cause = _function_error(ex.payload)
            elif isinstance(ex, ClientError):
                error, cause = f"Lambda.{_exception(ex)}", _cause(ex, "AWSLambda")
            elif isinstance(ex, BotoCoreError):
                error, cause = "Lambda.SdkClientException", str(ex)
            else:
                return original(self, env=env, ex=ex)
            if isinstance(self, StateTaskLambda):
                details = {"lambdaFunctionFailedEventDetails": {"error": error, "cause": cause}}
                return failure(env, error, HistoryEventType.LambdaFunctionFailed, details)
            return _task_failed(self, env, error, cause).failure_event

        return from_lambda_error

    replace(lambda_eval_utils, execute_lambda_function_integration=execute_once)
    replace(StateTaskLambda, _eval_execution=eval_direct_once, _from_error=from_error(StateTaskLambda._from_error))
    replace(StateTaskServiceLambda, _from_error=from_error(StateTaskServiceLambda._from_error))


def _function_error(payload: str) -> tuple[str, str]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation"""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(payload)["errorType"]), payload
    return (
        "Lambda.Unknown",
        "The cause could not be determined because Lambda did not return an error type. Returned payload: " + payload,
    )
