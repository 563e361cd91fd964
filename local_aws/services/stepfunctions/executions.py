"""Executions: started, stopped, described, ended, and begun again after a crash.

moto 5.2.5 gives an execution without a name the name None, forgets the error and cause of StopExecution, has no stopDate for one
that timed out, no pages of a history, and no metrics, events or logs of executions.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

import base64
import copy
import json
import logging
import random
import threading
import uuid
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidToken
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackNotifyConsumerError,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution as execution_module
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import recording
from local_aws.services.events.emit import emit
from local_aws.services.patching import add, replace
from local_aws.services.stepfunctions import execution_logs
from local_aws.services.stepfunctions.jobs import endings
from local_aws.services.stepfunctions.run import Place, Run, moment

log = logging.getLogger("local_aws.stepfunctions")

_DEFAULT_PAGE = 100
_ENDS = {
    HistoryEventType.ExecutionSucceeded,
    HistoryEventType.ExecutionFailed,
    HistoryEventType.ExecutionTimedOut,
    HistoryEventType.ExecutionAborted,
}

_active: dict[str, Run] = {}  # by the execution's ARN; what is under way in this process


def install(aws: Aws) -> None:
    """Let moto do this."""
    execution_class: Any = execution_module.Execution

    def start(self: Any) -> None:
        _begin(aws, self)

    replace(execution_class, start=start, stop=_stop, to_history_output=_history)
    add(execution_class, __getstate__=_picklable, worker=None)
    replace(StepFunctionsParserBackend, start_execution=_start_execution)
    replace(StepFunctionBackend, delete_state_machine=_deleting(StepFunctionBackend.delete_state_machine))
    replace(EventManager, add_event=_adding(EventManager.add_event))
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
    aws.at_reset(_abandon_all)
    aws.at_stop(_abandon_all)
    aws.describe_by("executions", lambda: [{"execution": arn} for arn in list(_active)])


def resume_all(aws: Aws) -> None:
    """After a crash: begin again what was under way; what its tasks had done is in its journal."""
    for backends in list(stepfunctions_parser_backends.values()):
        for backend in list(backends.values()):
            for machine in backend.state_machines:
                for execution in list[Any](machine.executions):
                    if execution.exec_status == ExecutionStatus.RUNNING:
                        log.info("going on with %s", execution.exec_arn)
                        _begin(aws, execution)


# An execution's life


def _begin(aws: Aws, execution: Any) -> None:
    run = Run(aws, execution)
    again = bool(run.before)
    worker = execution.exec_worker = execution._get_start_execution_worker()
    worker._cloud_watch_logging_session = execution_logs.session_of(aws, execution)
    env = worker.env = worker._get_evaluation_environment()
    env.local_aws_run, env.local_aws_path, env.local_aws_place = run, run.path, Place()
    env.event_manager.local_aws_run = run
    execution.exec_status = ExecutionStatus.RUNNING
    execution.local_aws_history = env.event_manager._history_event_list
    _active[execution.exec_arn] = run
    worker._get_evaluation_environment = lambda: env
    if not again:
        _count(run, "ExecutionsStarted")
        _announce(run)
    threading.Thread(target=_work, args=(run, worker), name=f"execution {execution.name}", daemon=True).start()


def _work(run: Run, worker: Any) -> None:
    execution = run.execution
    try:
        worker._execution_logic()
    except Exception:
        log.exception("%s failed inside", execution.exec_arn)
        execution.exec_status = ExecutionStatus.FAILED
        execution.error, execution.cause = "States.Runtime", "An internal error of the embedded AWS; see its log."
    finally:
        if _active.pop(execution.exec_arn, None) is run:
            _end(run)
        run.path.finish()


def _end(run: Run) -> None:
    """Tell of the end."""
    execution = run.execution
    with run.aws.lock:
        if run.stopped_at is not None:
            execution.stop_date = run.stopped_at
            execution.exec_status = ExecutionStatus.ABORTED
            execution.error, execution.cause = run.stopped_with
        execution.stop_date = execution.stop_date or moment(CLOCK.now())
        run.journal.clear()
    status = execution.exec_status
    name = {
        ExecutionStatus.SUCCEEDED: "ExecutionsSucceeded",
        ExecutionStatus.FAILED: "ExecutionsFailed",
        ExecutionStatus.TIMED_OUT: "ExecutionsTimedOut",
        ExecutionStatus.ABORTED: "ExecutionsAborted",
    }[status]
    _count(run, name)
    milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
    _count(run, "ExecutionTime", milliseconds, "Milliseconds")
    _announce(run)
    endings.tell(execution.exec_arn)
    execution.exec_worker = None  # what it held in memory


def _count(run: Run, name: str, value: float = 1.0, unit: str = "Count") -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    dimensions = {"StateMachineArn": _machine_arn(run.execution)}
    recording.count(run.aws, "AWS/States", name, dimensions, value, unit)


def _machine_arn(execution: Any) -> str:
    return str(getattr(execution.state_machine, "source_arn", execution.state_machine.arn))


def _announce(run: Run) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    execution = run.execution
    over = execution.exec_status != ExecutionStatus.RUNNING
    succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": _machine_arn(execution),
        "name": execution.name,
        "status": str(execution.exec_status.value),
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000) if over else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": _output(execution) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.error if over else None,
        "cause": execution.cause if over else None,
    }
    emit(run.aws, "aws.states", "Step Functions Execution Status Change", detail, [execution.exec_arn])


def _stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
    run = _active.get(self.exec_arn)
    if run is None:
        return
    run.stopped_at, run.stopped_with = moment(CLOCK.now()), (error, cause)
    self.exec_worker.env.set_stop(stop_date=run.stopped_at, error=error, cause=cause)
    self.exec_status, self.stop_date, self.error, self.cause = ExecutionStatus.ABORTED, run.stopped_at, error, cause


def _abandon_all() -> None:
    """The account is emptied, or the embedded AWS ends: nobody hears of these executions again."""
    for arn, run in list(_active.items()):
        _active.pop(arn, None)
        run.execution.exec_worker.env.set_stop(stop_date=moment(CLOCK.now()), error=None, cause=None)
        run.path.finish()


def _deleting(delete: Any) -> Any:
    def delete_state_machine(self: StepFunctionBackend, arn: str) -> None:
        machine = next((one for one in self.state_machines if one.arn == arn), None)
        for execution in machine.executions if machine is not None else ():
            execution.stop(None, None, None)
        delete(self, arn)

    return delete_state_machine


def _picklable(self: Any) -> dict[str, Any]:
    """Without the threads' things: what is under way begins again from the journal."""
    return {**self.__dict__, "exec_worker": None, "_cloud_watch_logging_session": None}


def _adding(add_event: Any) -> Any:
    def add_event_once(
        self: Any,
        context: Any,
        event_type: Any,
        event_details: Any = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        run: Run = self.local_aws_run
        with run.aws.lock:  # a snapshot of the account may be taken at any moment
            number = self._event_id_gen._next_id
            if self.__dict__.get("local_aws_over"):  # a branch that hears of the end later than its execution
                return int(number)
            self.local_aws_over = event_type in _ENDS
            timestamp = timestamp or run.moment_of(number, event_type)
            return int(add_event(self, context, event_type, event_details, timestamp, update_source_event_id))

    return add_event_once


# Requests


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
        answer |= {"output": _output(execution), "outputDetails": {"included": True}}
    answer |= {key: value for key in ("error", "cause") if (value := getattr(execution, key)) is not None}
    return ActionResult(answer)


def _respond_to_describe_machine(self: StepFunctionResponse) -> ActionResult:
    """The machine as it was when the execution began."""
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    machine = execution.state_machine
    names = ("definition", "name", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
    answer = {"stateMachineArn": machine.arn, "updateDate": machine.update_date}
    return ActionResult({**answer, **{name: getattr(machine, name) for name in names}})


def _output(execution: Any) -> str:
    return str(to_json_str(execution.output, separators=(",", ":")))


def _summary(execution: Any) -> dict[str, Any]:
    answer = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": _machine_arn(execution),
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
    for run in list(_active.values()):
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
