"""What a Task state does: each call once (see run.py), and with a failure that can be kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_ecs
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService

from local_aws.services.patching import replace
from local_aws.services.stepfunctions import tokens
from local_aws.services.stepfunctions.failures import FailureEvent, FailureEventException, failure
from local_aws.services.stepfunctions.run import Interrupted, Run


def install() -> None:
    """Let moto do this."""
    replace(StateTaskService, _eval_execution=_eval_execution)


def _eval_execution(self: Any, env: Any) -> None:
    """One attempt of a Task state, with a token of its own. Each call and each wait is done once: see run.py."""
    if self.resource.condition is not None:
        self._assert_integration_pattern_is_supported()
        token = tokens.new_token(env)
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
            _leave_if_over(env)
            event: Any = _submit_failed(env, self._from_error(env=env, ex=error), submits)
            name = event.error_name.error_name if event.error_name is not None else ""
            run.note(place, {"failed": (name, event.event_type.value, dict(event.event_details))})
            raise FailureEventException(event) from error
        _leave_if_over(env)
        run.note(place, {"output": copy.deepcopy(env.stack[-1])})
    elif "output" in kept:
        env.stack.append(copy.deepcopy(kept["output"]))
    else:
        name, kind, details = kept["failed"]
        raise FailureEventException(failure(env, name, HistoryEventType(kind), details))


def _leave_if_over(env: Any) -> None:
    """What comes after the state's time limit, or after a stop, is nobody's: a function that went on meanwhile."""
    if not env.is_running():
        raise Interrupted


def _submit_failed(env: Any, event: FailureEvent, submits: bool) -> FailureEvent:
    """What begins a job and fails has an event of its own."""
    details: Any = event.event_details or {}
    if not submits or event.event_type != HistoryEventType.TaskFailed or "taskFailedEventDetails" not in details:
        return event
    failed = details["taskFailedEventDetails"]
    submitted = {"taskSubmitFailedEventDetails": failed}
    return failure(env, failed["error"], HistoryEventType.TaskSubmitFailed, submitted)


def task_failed(self: Any, env: Any, error: str, cause: str) -> FailureEventException:
    """Return the failure of a state's task."""
    details = {
        "resource": self._get_sfn_resource(),
        "resourceType": self._get_sfn_resource_type(),
        "error": error,
        "cause": cause,
    }
    return FailureEventException(failure(env, error, HistoryEventType.TaskFailed, {"taskFailedEventDetails": details}))


def client_of(region: str, service: str, state_credentials: Any) -> Any:
    """Return a client in the state's role."""
    return state_task_service_ecs.boto_client_for(region=region, service=service, state_credentials=state_credentials)


def exception_name(error: ClientError) -> str:
    """Return the error's name as Step Functions has it."""
    code = str(error.response["Error"]["Code"])
    return code if code.endswith("Exception") else f"{code}Exception"


def cause_of(error: ClientError, service: str) -> str:
    """Return the cause as Step Functions words it."""
    said, metadata = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f"{said['Message']} (Service: {service}; Status Code: {metadata['HTTPStatusCode']}; "
        f"Error Code: {said['Code']}; Request ID: {metadata.get('RequestId', '')}; Proxy: null)"
    )
