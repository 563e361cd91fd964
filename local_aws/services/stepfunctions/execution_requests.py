"""The requests about executions.

moto 5.2.5 gives an execution without a name the name None, has no stopDate for one that timed out, and no pages of a
history.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

import base64
import copy
import json
import random
import uuid
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidToken
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackNotifyConsumerError,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
from moto.stepfunctions.parser.backend import execution as execution_module
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws.clock import CLOCK
from local_aws.services.patching import replace
from local_aws.services.stepfunctions import redriving
from local_aws.services.stepfunctions.executions import active, machine_arn, output_of
from local_aws.services.stepfunctions.run import moment

_DEFAULT_PAGE = 100


def install() -> None:
    """Let moto answer so."""
    replace(StepFunctionsParserBackend, start_execution=_start_execution)
    replace(execution_module.Execution, to_history_output=_history)
    replace(
        StepFunctionResponse,
        start_execution=_respond_to_start,
        stop_execution=_respond_to_stop,
        describe_execution=_respond_to_describe,
        describe_state_machine_for_execution=_respond_to_describe_machine,
        list_executions=_respond_to_list,
        get_execution_history=_respond_to_history,
        send_task_success=_respond_to_success,
        send_task_failure=_respond_to_failure,
        send_task_heartbeat=_respond_to_heartbeat,
    )


def _start_execution(
    self: StepFunctionsParserBackend,
    state_machine_arn: str,
    name: Any = None,
    execution_input: Any = None,
    trace_header: Any = None,
) -> Any:
    if name:
        self._validate_name(name)
    machine: Any = _machine_named(self, state_machine_arn)
    text = execution_input or "{}"
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from None
    name = name or str(uuid.uuid4())
    base: Any = machine if isinstance(machine, StateMachine) else self.describe_state_machine(machine.source_arn)
    existing = base._handle_name_input_idempotency(name, text)
    if existing is not None:
        return existing
    execution = execution_module.Execution(
        name=name,
        sm_type=machine.sm_type,
        role_arn=machine.roleArn,
        exec_arn=f"arn:{self.partition}:states:{self.region_name}:{self.account_id}:execution:{machine.name}:{name}",
        account_id=self.account_id,
        region_name=self.region_name,
        state_machine=_as_it_is_now(machine),
        start_date=moment(CLOCK.now()),
        cloud_watch_logging_session=None,
        input_data=text,
        trace_header=trace_header,
        activity_store={},
    )
    base.executions.append(execution)
    execution.start()
    return execution


def _machine_named(backend: StepFunctionsParserBackend, arn: str) -> Any:
    """Return a state machine or a version of one; with an alias's ARN, the version that its weights give."""
    for machine in backend.state_machines:
        for alias in machine.aliases.values():
            if alias.arn == arn:
                routes = alias.routing_configuration
                [chosen] = random.choices(routes, [route["weight"] for route in routes])
                return backend.describe_state_machine(chosen["stateMachineVersionArn"])
    return backend.describe_state_machine(arn)


def _as_it_is_now(machine: Any) -> Any:
    """A later update is none of an execution's business."""
    clone = copy.copy(machine)
    clone.executions = []
    return clone


def _respond_to_start(self: StepFunctionResponse) -> ActionResult:
    given = self._get_param("stateMachineArn"), self._get_param("name"), self._get_param("input", if_none="{}")
    execution: Any = self.stepfunction_backend.start_execution(*given)
    return ActionResult({"executionArn": execution.exec_arn, "startDate": execution.start_date})


def _respond_to_stop(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    execution.stop(None, self._get_param("error"), self._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


def _respond_to_describe(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    answer = _summary(execution) | {"input": execution.execution_input, "inputDetails": {"included": True}}
    if execution.exec_status == ExecutionStatus.SUCCEEDED:
        answer |= {"output": output_of(execution), "outputDetails": {"included": True}}
    answer |= redriving.describe(execution)
    answer |= {key: value for key in ("error", "cause") if (value := getattr(execution, key)) is not None}
    return ActionResult(answer)


def _respond_to_describe_machine(self: StepFunctionResponse) -> ActionResult:
    """The machine as it was when the execution began."""
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    machine = execution.state_machine
    names = ("definition", "name", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
    answer = {"stateMachineArn": machine.arn, "updateDate": machine.update_date}
    return ActionResult({**answer, **{name: getattr(machine, name) for name in names}})


def _summary(execution: Any) -> dict[str, Any]:
    answer = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": machine_arn(execution),
        "name": execution.name,
        "status": execution.exec_status.value,
        "startDate": execution.start_date,
    }
    if hasattr(execution.state_machine, "source_arn"):
        answer["stateMachineVersionArn"] = execution.state_machine.arn
    if execution.stop_date is not None and execution.exec_status != ExecutionStatus.RUNNING:
        answer["stopDate"] = execution.stop_date
    return answer


def _respond_to_list(self: StepFunctionResponse) -> ActionResult:
    backend = self.stepfunction_backend
    arn, status = self._get_param("stateMachineArn"), self._get_param("statusFilter")
    machine: Any = backend.describe_state_machine(arn)
    if not isinstance(machine, StateMachine):
        machine = backend.describe_state_machine(machine.source_arn)
        executions = [one for one in machine.executions if one.state_machine.arn == arn]
    else:
        executions = list(machine.executions)
    found = [_summary(one) for one in executions if status in (None, one.exec_status.value)]
    found.sort(key=lambda one: (one["startDate"], one["executionArn"]), reverse=True)
    page, token = _page(found, self._get_int_param("maxResults"), self._get_param("nextToken"), 1000)
    return ActionResult({"executions": page, **token})


def _respond_to_history(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    events = execution.to_history_output()["events"]
    if self._get_param("reverseOrder"):
        events.reverse()
    if self._get_param("includeExecutionData") is False:
        events = [_without_data(event) for event in events]
    page, token = _page(events, self._get_int_param("maxResults"), self._get_param("nextToken"), 1000)
    return ActionResult({"events": page, **token})


_DATA = {"input", "output", "inputDetails", "outputDetails"}


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: inner for name, inner in value.items() if name not in _DATA} if isinstance(value, dict) else value
        for key, value in event.items()
    }


def _page(found: list[Any], number: int | None, token: str | None, most: int) -> tuple[list[Any], dict[str, str]]:
    size = min(number or _DEFAULT_PAGE, most)
    try:
        start = int(base64.b64decode(token)) if token else 0
    except ValueError:
        raise InvalidToken(f"'{token}'") from None
    end = start + size
    return found[start:end], {"nextToken": base64.b64encode(str(end).encode()).decode()} if end < len(found) else {}


def _history(self: Any) -> dict[str, Any]:
    events = []
    for event in list(self.local_aws_history):
        copied = dict(event)
        copied["type"] = str(getattr(event["type"], "value", event["type"]))
        copied["timestamp"] = datetime.fromisoformat(str(event["timestamp"]).replace("Z", "+00:00"))
        events.append(copied)
    return {"events": events}


def _respond_to_success(self: StepFunctionResponse) -> EmptyResult:
    token, output = self._get_param("taskToken"), self._get_param("output")
    try:
        json.loads(output)
    except ValueError as error:
        raise InvalidOutput(f"Invalid Output: '{error}'") from None
    return _notify(token, CallbackOutcomeSuccess(callback_id=token, output=output))


def _respond_to_failure(self: StepFunctionResponse) -> EmptyResult:
    token = self._get_param("taskToken")
    failure = CallbackOutcomeFailure(callback_id=token, error=self._get_param("error"), cause=self._get_param("cause"))
    return _notify(token, failure)


def _respond_to_heartbeat(self: StepFunctionResponse) -> EmptyResult:
    return _notify(self._get_param("taskToken"), None)


class InvalidOutput(InvalidExecutionInput):
    TYPE = "InvalidOutput"


class TaskTimedOut(InvalidExecutionInput):
    TYPE = "TaskTimedOut"


def _notify(token: str, outcome: Any) -> EmptyResult:
    for run in list(active.values()):
        pool = run.execution.exec_worker.env.callback_pool_manager
        endpoint = pool.get(token)
        if endpoint is None:
            continue
        if endpoint.get_outcome() is not None or endpoint.__dict__.get("local_aws_over"):
            break
        try:
            if outcome is None:
                pool.heartbeat(token)
            else:
                pool.notify(token, outcome)
        except CallbackNotifyConsumerError:
            break
        return EmptyResult()
    else:
        raise InvalidToken(f"'{token}'")
    raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
